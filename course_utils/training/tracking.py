"""Where the losses of a run are shown beside the notebook, and who else hears of it: nobody, unless asked."""

import os
from importlib.util import find_spec

from course_utils.errors import ConfigurationError, MissingExtraError

TRACK_VARIABLE = "COURSE_TRACK"
TRACKERS = ("tensorboard", "wandb")


def disable_telemetry() -> None:
    """Keep TRL and Unsloth from counting their use over the network; call it before they are imported.

    ``HF_HUB_DISABLE_TELEMETRY=0`` in the environment lets TRL count.
    """
    from huggingface_hub import constants

    os.environ.setdefault("UNSLOTH_DISABLE_STATISTICS", "1")
    if os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1") == "1":
        constants.HF_HUB_DISABLE_TELEMETRY = True  # the variable was read when the Hub's library was first imported


def chosen_trackers() -> list[str]:
    """The trackers that ``COURSE_TRACK`` names, separated by commas, as ``report_to`` of the trainer takes them.

    Nothing leaves the machine unless you ask: TensorBoard writes files, Weights & Biases sends them to its service,
    with the key that its own ``WANDB_API_KEY`` holds.

    Raises:
        ConfigurationError: One of them is unknown.
        MissingExtraError: One of them is not installed.
    """
    wanted = [name.strip() for name in os.environ.get(TRACK_VARIABLE, "").split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(TRACKERS)):
        raise ConfigurationError(f"{TRACK_VARIABLE} names {', '.join(unknown)}; choose from {', '.join(TRACKERS)}")
    for name in wanted:
        if find_spec(name) is None:
            raise MissingExtraError(name, "track")
    return wanted or ["none"]
