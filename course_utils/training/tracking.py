"""Direct the experiment tracker that a run reports to."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from course_utils.errors import require
from course_utils.profiles import Tracker

EXTRAS = {"tensorboard": "track", "wandb": "track", "mlflow": "serve"}
"""The trackers by their package's name, each with the extra that installs it."""


def chosen_trackers(tracker: Tracker) -> list[Tracker]:
    """A profile's tracker as the trainers take it; raises MissingExtraError if it is not installed."""
    if tracker:
        require(EXTRAS[tracker], tracker)
    return [tracker] if tracker else []


@contextmanager
def tracking(trackers: Sequence[str], folder: Path) -> Iterator[None]:
    """Make the trackers write to ``folder``, unless a tracker's own environment variable names another place.

    Weights & Biases also sends data to its service, unless ``WANDB_MODE=offline``.
    """
    if trackers:
        folder.mkdir(parents=True, exist_ok=True)
    places = {"TENSORBOARD_LOGGING_DIR": str(folder / "tensorboard"), "WANDB_DIR": str(folder)}
    places |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    places = {name: place for name, place in places.items() if trackers and name not in os.environ}
    os.environ.update(places)
    if "wandb" in trackers and "WANDB_DIR" in places:  # it reads its variables once a process
        wandb = import_module("wandb")
        wandb.setup(wandb.Settings(root_dir=str(folder)))
    try:
        yield
    finally:  # the trainer may leave the tracker's run open, and the next training would be added to it
        for name, end in {"wandb": "finish", "mlflow": "end_run"}.items():
            if name in trackers:
                getattr(import_module(name), end)()
        for name in places:  # the next run may have another folder
            os.environ.pop(name, None)
