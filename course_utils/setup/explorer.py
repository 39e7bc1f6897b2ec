"""What each profile means, as a table and as a small widget that answers a click."""

from typing import TYPE_CHECKING, Any

from course_utils.models.shapes import find_shape
from course_utils.profiles import PROFILES, Profile, get_profile
from course_utils.setup.memory import estimate_profile
from course_utils.setup.tables import definition_table

if TYPE_CHECKING:
    from ipywidgets import VBox

TYPICAL_TOKENS = 256
"""Tokens of a row whose schema has a few tables: what a run mostly sees, as against ``max_length``."""


def describe_profile(profile: Profile) -> dict[str, str]:
    """A profile's sizes in words, with the memory that training takes by estimate.

    Raises:
        ModelError: The profile's model folder is unreadable.
    """
    shape = find_shape(profile.base_model)
    typical, longest = estimate_profile(profile, TYPICAL_TOKENS), estimate_profile(profile)
    return {
        "for": profile.purpose,
        "base model": profile.base_model,
        "parameters": f"{shape.n_parameters / 1e6:,.1f} million" if shape else "unknown",
        "trained by LoRA": f"{shape.n_adapter_parameters(profile.lora_rank) / 1e6:,.1f} million"
        if shape
        else "unknown",
        "weights while training": "4 bits" if profile.load_in_4bit else "32 bits" if not profile.n_gpus else "16 bits",
        "backend": profile.backend,
        "rows per step": f"{profile.batch_size} x {profile.gradient_accumulation}",
        "learning rate": f"{profile.learning_rate:g}",
        "epochs": f"{profile.epochs:g}",
        f"memory, rows of {TYPICAL_TOKENS} tokens": f"{typical.total_gib:.1f} GiB" if typical else "unknown",
        "memory, longest rows": f"{longest.total_gib:.1f} GiB of {profile.max_length} tokens" if longest else "unknown",
        "downloads from the Hub": "yes" if profile.needs_hub else "no",
    }


def explore_profiles(chosen: str = "smoke") -> "VBox":
    """A menu of profiles and a button; a click shows what the chosen one means.

    Raises:
        ConfigurationError: ``chosen`` is no profile.
    """
    import ipywidgets

    menu = ipywidgets.Dropdown(options=list(PROFILES), value=get_profile(chosen).name, description="Profile")
    button = ipywidgets.Button(description="Show profile", button_style="primary", tooltip="What this profile means")
    shown = ipywidgets.HTML(value="<p>Choose a profile and press the button.</p>")

    def show(_: Any) -> None:
        profile = get_profile(menu.value)
        shown.value = f"<h4>{profile.name}</h4>{definition_table(describe_profile(profile))}"

    button.on_click(show)
    shown.add_class("course-profile")
    return ipywidgets.VBox([ipywidgets.HBox([menu, button]), shown])
