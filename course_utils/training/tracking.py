"""Where the losses of a run are shown beside the notebook, and who else hears of it: nobody, unless asked."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from course_utils.errors import ConfigurationError, MissingExtraError

TRACK_VARIABLE = "COURSE_TRACK"
TRACKERS = ("tensorboard", "wandb", "mlflow")


def chosen_trackers() -> list[str]:
    """The trackers that ``COURSE_TRACK`` names, separated by commas, as ``report_to`` of the trainer takes them.

    Nothing leaves the machine unless you ask: TensorBoard and MLflow write files, Weights & Biases sends them to its
    service, with the key that its own ``WANDB_API_KEY`` holds, unless ``WANDB_MODE=offline``.

    Raises:
        ConfigurationError: One of them is unknown, or MLflow is not installed, which the course's lock cannot hold.
        MissingExtraError: One of the others is not installed.
    """
    wanted = [name.strip() for name in os.environ.get(TRACK_VARIABLE, "").split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(TRACKERS)):
        raise ConfigurationError(f"{TRACK_VARIABLE} names {', '.join(unknown)}; choose from {', '.join(TRACKERS)}")
    missing = [name for name in wanted if find_spec(name) is None]
    if "mlflow" in missing:
        remedy = "it wants an older pyarrow than the course; try: pip install mlflow, in an environment of its own"
        raise ConfigurationError(f"{TRACK_VARIABLE}=mlflow: mlflow is not installed; {remedy}")
    if missing:
        raise MissingExtraError(missing[0], "track")
    return wanted or ["none"]


@contextmanager
def tracking(folder: Path) -> Iterator[None]:
    """Let what the chosen trackers write lie in ``folder``, each where its own variable does not name a place.

    MLflow gets an SQLite file, which ``mlflow ui --backend-store-uri sqlite:///...`` shows.
    """
    trackers = chosen_trackers()
    if trackers != ["none"]:
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder / "tensorboard"))
        os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        os.environ.setdefault("WANDB_DIR", str(folder))
    yield
    if "wandb" in trackers:
        import_module("wandb").finish()  # the trainer leaves it open: the next training would be part of this run


def disable_telemetry() -> None:
    """Keep TRL and Unsloth from counting their use over the network; call it before they are imported.

    ``HF_HUB_DISABLE_TELEMETRY=0`` in the environment lets TRL count.
    """
    from huggingface_hub import constants

    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1":
        constants.HF_HUB_DISABLE_TELEMETRY = True  # the variable was read when the Hub's library was first imported
