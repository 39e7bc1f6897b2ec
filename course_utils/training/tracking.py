"""Who else hears of a run: the trackers that are chosen, and nobody by telemetry."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from course_utils.errors import ConfigurationError, require

TRACK_VARIABLE = "COURSE_TRACK"
TRACKERS = {"tensorboard": "track", "wandb": "track", "mlflow": "serve"}
"""Who else may hear of a run, by the name of the package, and the extra that installs it."""


def chosen_trackers() -> list[str]:
    """The trackers that ``COURSE_TRACK`` names, separated by commas, as ``report_to`` of the trainer takes them.

    TensorBoard and MLflow write files; Weights & Biases sends them to its service, unless ``WANDB_MODE=offline``.
    """
    wanted = [name.strip() for name in os.environ.get(TRACK_VARIABLE, "").split(",") if name.strip()]
    if unknown := sorted({*wanted} - TRACKERS.keys()):
        raise ConfigurationError(f"{TRACK_VARIABLE} names {', '.join(unknown)}; choose from {', '.join(TRACKERS)}")
    for name in wanted:
        require(TRACKERS[name], name)
    return wanted or ["none"]


@contextmanager
def tracking(folder: Path) -> Iterator[None]:
    """Let what the chosen trackers write lie in ``folder``, each where its own variable does not name a place."""
    trackers, places = chosen_trackers(), {}
    if trackers != ["none"]:
        folder.mkdir(parents=True, exist_ok=True)
        places = {"TENSORBOARD_LOGGING_DIR": str(folder / "tensorboard"), "WANDB_DIR": str(folder)}
        places |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    places = {name: place for name, place in places.items() if name not in os.environ}
    os.environ.update(places)
    try:
        yield
    finally:  # the trainer leaves its run open, always or where it fails: the next training would be part of it
        if "wandb" in trackers:
            import_module("wandb").finish()
        if "mlflow" in trackers:
            import_module("mlflow").end_run()
        for name in places:  # the next run may have another folder
            os.environ.pop(name, None)


def disable_telemetry() -> None:
    """Keep TRL, Unsloth and MLflow from counting their use over the network, each unless its own variable lets it.

    Call it before they are imported.
    """
    from huggingface_hub import constants

    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1":
        constants.HF_HUB_DISABLE_TELEMETRY = True  # the variable was read when the Hub's library was first imported
