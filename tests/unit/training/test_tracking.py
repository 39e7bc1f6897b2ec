"""Who is told of a run: nobody unless asked; and each tracker that is installed is told."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.artifacts import open_course
from course_utils.errors import ConfigurationError, MissingExtraError
from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.profiles import get_profile
from course_utils.tasks import text_to_sql
from course_utils.training import tokenize_rows, train_sft
from course_utils.training.tracking import TRACKERS, chosen_trackers

TINY_BASE = PROJECT / "data" / "tiny_base"
pytestmark = pytest.mark.takes(8)
SCHEMAS = {"shop": "table item: item_id integer, name text, price real"}


def _tracked(name: str, folder: Path) -> bool:
    """Whether a tracker's own files say that validation was measured."""
    if name == "mlflow":
        with closing(sqlite3.connect(folder / "mlflow.db")) as database:
            return bool(database.execute("SELECT * FROM metrics WHERE key = 'eval_loss'").fetchall())
    pattern = {"tensorboard": "tensorboard/events.*", "wandb": "wandb/offline-run-*/*.wandb"}[name]
    return any(b"eval" in file.read_bytes() for file in folder.glob(pattern))


@pytest.mark.parametrize("name", TRACKERS)
def test_each_tracker_hears_of_a_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    monkeypatch.setenv("COURSE_TRACK", name)
    monkeypatch.setenv("WANDB_MODE", "offline")
    for variable in ("TENSORBOARD_LOGGING_DIR", "MLFLOW_TRACKING_URI", "WANDB_DIR"):
        monkeypatch.setenv(variable, "")  # so that the variable is put back at the end
        monkeypatch.delenv(variable)
    row = {"id": "1", "db_id": "shop", "question": "How many?", "query": "SELECT COUNT(*) FROM item"}
    rows = tokenize_rows(load_tokenizer(TINY_BASE), [row], text_to_sql(SCHEMAS), 512)
    for run in ("first", "second", "second"):  # each folder has a record of its own, which outlives a new beginning
        folder = open_course("smoke", artifacts=str(tmp_path / run)).begin("setup").folder
        train_sft(replace(get_profile("smoke"), max_steps=2), TINY_BASE, rows, rows, folder / "adapter")
        assert _tracked(name, folder / "tracking")


def test_nothing_is_tracked_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_TRACK", raising=False)
    assert chosen_trackers() == ["none"]


def test_named_trackers_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_TRACK", "wandb, tensorboard")
    monkeypatch.setattr("course_utils.errors.find_spec", lambda name: name)
    assert chosen_trackers() == ["wandb", "tensorboard"]


def test_unknown_and_missing_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_TRACK", "comet")
    with pytest.raises(ConfigurationError, match=r"COURSE_TRACK names comet; choose from tensorboard, wandb, mlflow"):
        chosen_trackers()
    monkeypatch.setenv("COURSE_TRACK", "wandb")
    monkeypatch.setattr("course_utils.errors.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"install\.py --set dev"):
        chosen_trackers()
    monkeypatch.setenv("COURSE_TRACK", "mlflow")
    with pytest.raises(MissingExtraError, match=r"install\.py --set course"):
        chosen_trackers()
