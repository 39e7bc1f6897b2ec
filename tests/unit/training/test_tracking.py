"""Who is told of a run: nobody unless asked; and each tracker that is installed is told."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.artifacts import open_course
from course_utils.errors import MissingExtraError
from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.profiles import Tracker, get_profile
from course_utils.tasks import text_to_sql
from course_utils.training import TokenizedRows, TrainingData, tokenize_rows, train_sft
from course_utils.training.tracking import EXTRAS, chosen_trackers

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


def encode() -> TokenizedRows:
    row = {"id": "1", "db_id": "shop", "question": "How many?", "query": "SELECT COUNT(*) FROM item"}
    return tokenize_rows(load_tokenizer(TINY_BASE), [row], text_to_sql(SCHEMAS), 512)


@pytest.mark.parametrize("name", EXTRAS)
def test_each_tracker_hears_of_a_run(name: Tracker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(name, reason=f"{name} is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    for variable in ("TENSORBOARD_LOGGING_DIR", "MLFLOW_TRACKING_URI", "WANDB_DIR"):
        monkeypatch.setenv(variable, "")  # so that the variable is put back at the end
        monkeypatch.delenv(variable)
    profile = replace(get_profile("smoke"), max_steps=2, track=name)
    for run in ("first", "second", "second"):  # each folder has a record of its own, which outlives a new beginning
        folder = open_course("smoke", artifacts=str(tmp_path / run)).begin("setup").folder
        train_sft(profile, TrainingData(encode(), encode()), folder / "adapter")
        assert _tracked(name, folder / "tracking")


def test_nothing_is_tracked_unless_asked() -> None:
    assert chosen_trackers(get_profile("smoke").track) == []


def test_a_run_that_was_killed_goes_on_with_another_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    profile, call = replace(get_profile("smoke"), max_steps=3), (TrainingData(encode(), encode()), tmp_path / "adapter")

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("transformers.trainer_callback.CallbackHandler.on_save", stop)
        with pytest.raises(KeyboardInterrupt):
            train_sft(profile, *call)
    resumed = train_sft(replace(profile, track="tensorboard"), *call)
    assert (resumed.n_steps, resumed.n_examples) == (3, 2)
    assert _tracked("tensorboard", tmp_path / "tracking")


@pytest.mark.parametrize(("name", "extra"), [("wandb", "dev"), ("mlflow", "course")])
def test_a_missing_one_is_named_with_its_remedy(name: Tracker, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("course_utils.errors.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=rf"{name} is not installed; run .*install\.py --set {extra}"):
        chosen_trackers(name)
