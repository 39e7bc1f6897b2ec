import pytest

from course_utils.errors import ConfigurationError, MissingExtraError
from course_utils.training import tracking
from course_utils.training.tracking import chosen_trackers


def test_nothing_is_tracked_unless_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_TRACK", raising=False)
    assert chosen_trackers() == ["none"]


def test_named_trackers_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_TRACK", "wandb, tensorboard")
    monkeypatch.setattr(tracking, "find_spec", lambda name: name)
    assert chosen_trackers() == ["wandb", "tensorboard"]


def test_unknown_and_missing_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_TRACK", "mlflow")
    with pytest.raises(ConfigurationError, match=r"COURSE_TRACK names mlflow; choose from tensorboard, wandb"):
        chosen_trackers()
    monkeypatch.setenv("COURSE_TRACK", "wandb")
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"course-utils\[track\]"):
        chosen_trackers()
