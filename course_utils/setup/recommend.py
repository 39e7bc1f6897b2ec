"""Which profile suits a machine and why not the others, and what each one means."""

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from course_utils.models.catalogue import find_shape
from course_utils.profiles import PROFILES, Profile, get_profile
from course_utils.setup.machine import Gpu, Machine
from course_utils.setup.memory import estimate_profile
from course_utils.tables import text_table, value_table

if TYPE_CHECKING:
    from ipywidgets import VBox

UNSLOTH_MIN_CAPABILITY = (7, 0)
"""Unsloth's Triton kernels want a Volta GPU (V100, T4) or newer."""
TYPICAL_TOKENS = 256
"""Tokens of a row whose schema has a few tables: what a run mostly sees, as against ``max_length``."""
_COPIES_ON_DISK = 3
"""The base model, the merged model and its GGUF, each about as large as the 16-bit weights."""


@dataclass(frozen=True)
class Recommendation:
    """A profile for a machine.

    ``rejected`` maps every other profile to the reason against it; ``next_step`` is a command.
    """

    profile: str
    reason: str
    rejected: dict[str, str]
    next_step: str

    def _repr_html_(self) -> str:
        rows = [(self.profile, "recommended", self.reason)]
        rows += [(name, "", reason) for name, reason in self.rejected.items()]
        table = text_table(("profile", "", "why"), rows)
        return f"{table._repr_html_()}<p>Next: <code>{escape(self.next_step)}</code></p>"


def recommend_profile(machine: Machine) -> Recommendation:
    """The most capable profile that the machine can run.

    Profiles are tried from the most demanding to the least; ``smoke`` is the answer when nothing fits.
    """
    reasons = {name: reason_against(profile, machine) for name, profile in PROFILES.items()}
    fitting = [name for name, reason in reasons.items() if reason is None]
    chosen = fitting[-1] if fitting else "smoke"
    rejected = {
        name: reason or f"would run, but {chosen} is for {PROFILES[chosen].purpose}"
        for name, reason in reasons.items()
        if name != chosen
    }
    return Recommendation(
        chosen,
        _reason_for(PROFILES[chosen], machine, reasons[chosen]),
        rejected,
        _next_step(PROFILES[chosen], machine),
    )


def reason_against(profile: Profile, machine: Machine) -> str | None:
    """Why a machine cannot run a profile; None if it can."""
    if profile.backend == "fsdp":
        return "the course cannot train on several GPUs yet"
    if profile.n_gpus:
        usable = usable_gpus(profile, machine)
        if len(usable) < profile.n_gpus:
            found = "; ".join(map(str, machine.gpus)) or "none"
            return f"wants {profile.n_gpus} NVIDIA GPU with {profile.min_memory_gib:g} GiB or more; found: {found}"
    elif machine.memory_gib < profile.min_memory_gib:
        return f"wants {profile.min_memory_gib:g} GiB of memory; found {machine.memory_gib:.1f} GiB"
    if profile.needs_hub and machine.hub_reachable is False:
        return f"downloads {profile.base_model}, and the Hugging Face Hub cannot be reached"
    wanted = disk_gib(profile)
    if machine.disk_free_gib < wanted:
        return f"wants {wanted:.0f} GiB of free disk; found {machine.disk_free_gib:.0f} GiB"
    return None


def usable_gpus(profile: Profile, machine: Machine) -> list[Gpu]:
    """The NVIDIA GPUs that are large and new enough for a profile."""
    return [
        gpu
        for gpu in machine.gpus
        if gpu.memory_gib >= profile.min_memory_gib and (gpu.compute_capability or (0, 0)) >= UNSLOTH_MIN_CAPABILITY
    ]


def disk_gib(profile: Profile) -> float:
    """Free disk that a run wants, in GiB: one, and three copies of the 16-bit weights."""
    shape = find_shape(profile.base_model)
    weights_gib = 2 * shape.n_parameters / 2**30 if shape else 0.0
    return 1.0 + _COPIES_ON_DISK * weights_gib


def _reason_for(profile: Profile, machine: Machine, against: str | None) -> str:
    if against is not None:
        return f"nothing fits well ({profile.name} {against}), but this one asks least"
    if profile.n_gpus:
        return f"{usable_gpus(profile, machine)[0]}: enough for {profile.base_model} with {profile.backend}"
    gpus = "" if machine.gpus else " and no GPU"
    return f"{machine.memory_gib:.0f} GiB of memory, {machine.n_cores} cores{gpus}: enough for {profile.base_model}"


def _next_step(profile: Profile, machine: Machine) -> str:
    command = f"make course PROFILE={profile.name}" if profile.name != "smoke" else "make course"
    if profile.n_gpus and (machine.torch or "").endswith("+cpu"):
        return f"rm -r .venv && {command}   # the installed PyTorch is the CPU build; this installs the other"
    if profile.backend == "unsloth" and machine.unsloth is None:
        return f'pip install "course-utils[gpu]" && {command}'
    return command


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
        shown.value = f"<h4>{profile.name}</h4>{value_table(describe_profile(profile))._repr_html_()}"

    button.on_click(show)
    shown.add_class("course-profile")
    return ipywidgets.VBox([ipywidgets.HBox([menu, button]), shown])
