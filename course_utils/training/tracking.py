"""Which experiment trackers a training run reports to: those of ``COURSE_TRACK``, by default none.

Nothing leaves the machine unless you ask: TensorBoard writes files, Weights & Biases sends them to its service, with
the key that its own ``WANDB_API_KEY`` holds.
"""

import os
from importlib.util import find_spec

from course_utils.errors import ConfigurationError, MissingExtraError

VARIABLE = "COURSE_TRACK"
TRACKERS = ("tensorboard", "wandb")


def chosen_trackers() -> list[str]:
    """The trackers that ``COURSE_TRACK`` names, separated by commas, as ``report_to`` of the trainer takes them.

    Raises:
        ConfigurationError: One of them is unknown.
        MissingExtraError: One of them is not installed.
    """
    wanted = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    if unknown := sorted(set(wanted) - set(TRACKERS)):
        raise ConfigurationError(f"{VARIABLE} names {', '.join(unknown)}; choose from {', '.join(TRACKERS)}")
    for name in wanted:
        if find_spec(name) is None:
            raise MissingExtraError(name, "track")
    return wanted or ["none"]
