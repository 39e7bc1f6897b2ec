"""Choose the experiment trackers that a run reports to, and disable the telemetry of libraries."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from course_utils.errors import ConfigurationError, require

TRACK_VARIABLE = "COURSE_TRACK"
TRACKERS = {"tensorboard": "track", "wandb": "track", "mlflow": "serve"}
"""The trackers by their package's name, each with the extra that installs it."""


def chosen_trackers() -> list[str]:
    """The trackers in the environment variable ``COURSE_TRACK``, separated by commas; ``["none"]`` if there are none.

    TensorBoard and MLflow write files; Weights & Biases sends data to its service unless ``WANDB_MODE=offline``.

    Raises:
        ConfigurationError: A name is unknown.
        MissingExtraError: A tracker is not installed.
    """
    wanted = [name.strip() for name in os.environ.get(TRACK_VARIABLE, "").split(",") if name.strip()]
    if unknown := sorted({*wanted} - TRACKERS.keys()):
        raise ConfigurationError(f"{TRACK_VARIABLE} names {', '.join(unknown)}; choose from {', '.join(TRACKERS)}")
    for name in wanted:
        require(TRACKERS[name], name)
    return wanted or ["none"]


@contextmanager
def tracking(folder: Path) -> Iterator[None]:
    """Make the chosen trackers write to ``folder``, unless a tracker's own environment variable names another place."""
    trackers, places = chosen_trackers(), {}
    if trackers != ["none"]:
        folder.mkdir(parents=True, exist_ok=True)
        places = {"TENSORBOARD_LOGGING_DIR": str(folder / "tensorboard"), "WANDB_DIR": str(folder)}
        places |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    places = {name: place for name, place in places.items() if name not in os.environ}
    os.environ.update(places)
    if "wandb" in trackers and "WANDB_DIR" in places:  # it reads its variables once a process
        wandb = import_module("wandb")
        wandb.setup(wandb.Settings(root_dir=str(folder)))
    try:
        yield
    finally:  # the trainer may leave the tracker's run open, and the next training would be added to it
        if "wandb" in trackers:
            import_module("wandb").finish()
        if "mlflow" in trackers:
            import_module("mlflow").end_run()
        for name in places:  # the next run may have another folder
            os.environ.pop(name, None)


def disable_telemetry() -> None:
    """Disable the telemetry of TRL, Unsloth and MLflow, each unless its own environment variable is set.

    Call it before they are imported.
    """
    from huggingface_hub import constants

    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1":
        constants.HF_HUB_DISABLE_TELEMETRY = True  # the variable was read when huggingface_hub was imported
