"""Recommend a profile for a machine, give the reason against each other one, and describe profiles in words."""

from dataclasses import dataclass, replace
from html import escape

from course_utils.models.hub import WHEELS, is_there_offline
from course_utils.profiles import PROFILES, Profile
from course_utils.setup.machine import Gpu, Machine
from course_utils.setup.memory import estimate_generation, estimate_profile, profile_shape, wanted_gib
from course_utils.tables import text_table

UNSLOTH_MIN_CAPABILITY = (7, 0)
"""Unsloth's Triton kernels need a GPU of the Volta generation (V100) or newer, such as a T4."""
TYPICAL_TOKENS = 256
"""Tokens of a typical row, whose schema has a few tables; ``Profile.max_length`` is that of the longest."""


@dataclass(frozen=True)
class Recommendation:
    """The best profile for a machine; ``rejected`` gives the reason against each other, ``next_step`` is a command."""

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
    """Recommend the most capable profile that the machine can run, or ``smoke`` if it can run none."""
    reasons = {name: reason_against(profile, machine) for name, profile in PROFILES.items()}
    fitting = [name for name, reason in reasons.items() if reason is None]
    chosen = fitting[-1] if fitting else "smoke"
    better = f"would run, but {chosen} is for {PROFILES[chosen].purpose}"
    rejected = {name: reason or better for name, reason in reasons.items() if name != chosen}
    reason = _reason_for(PROFILES[chosen], machine, reasons[chosen])
    return Recommendation(chosen, reason, rejected, _next_step(PROFILES[chosen], machine))


def reason_against(profile: Profile, machine: Machine) -> str | None:
    """The reason why a machine cannot run a profile; None if it can. Raises ModelError as ``profile_shape`` does."""
    wanted = wanted_gib(profile)
    if profile.n_gpus:
        if len(usable_gpus(profile, machine)) < profile.n_gpus:
            found = "; ".join(map(str, machine.gpus)) or "none"
            several = "s" if profile.n_gpus > 1 else ""
            return f"wants {profile.n_gpus} NVIDIA GPU{several} with {wanted} GiB or more; found: {found}"
    elif machine.memory_gib < wanted:
        return f"wants {wanted} GiB of memory; found {machine.memory_gib:.1f} GiB"
    if profile.needs_hub and machine.hub_reachable is False and not is_there_offline(profile.base_model):
        return f"downloads {profile.base_model}, and the Hugging Face Hub cannot be reached"
    if machine.disk_free_gib < disk_gib(profile):
        return f"wants {disk_gib(profile):.0f} GiB of free disk; found {machine.disk_free_gib:.1f} GiB"
    return None


def usable_gpus(profile: Profile, machine: Machine) -> list[Gpu]:
    """The machine's NVIDIA GPUs with enough memory and compute capability for a profile."""
    new = [gpu for gpu in machine.gpus if (gpu.compute_capability or (0, 0)) >= UNSLOTH_MIN_CAPABILITY]
    return [gpu for gpu in new if gpu.memory_gib >= wanted_gib(profile)]


def disk_gib(profile: Profile) -> float:
    """Free disk that a run needs, in GiB: 1, and three times the 16-bit weights (base model, merged model, GGUF)."""
    return 1.0 + 3 * 2 * profile_shape(profile).n_parameters / 2**30


def _reason_for(profile: Profile, machine: Machine, against: str | None) -> str:
    if against is not None:
        return f"nothing fits well ({profile.name} {against}), but this profile needs least"
    if profile.n_gpus:
        gpu = "; ".join(map(str, usable_gpus(profile, machine)[: profile.n_gpus]))
        return f"{gpu}: enough for {profile.base_model} with {profile.backend}"
    gpus = "" if machine.gpus else " and no GPU"
    return f"{machine.memory_gib:.0f} GiB of memory, {machine.n_cores} cores{gpus}: enough for {profile.base_model}"


def _next_step(profile: Profile, machine: Machine) -> str:
    command = f"make course PROFILE={profile.name}" if profile.name != "smoke" else "make course"
    if profile.n_gpus and (machine.torch or "").endswith("+cpu"):
        return f"rm -r .venv && {command}   # the installed PyTorch is the CPU build; this installs the other"
    return command


def describe_profile(profile: Profile) -> dict[str, str]:
    """A profile's sizes and estimates of memory in words; raises ModelError if the model's folder is unreadable."""
    shape, longest = profile_shape(profile), estimate_profile(profile)
    in_float32 = not profile.n_gpus or (profile.method, profile.backend) == ("full", "fsdp")
    downloads = "yes, or as a package" if profile.base_model in WHEELS else "yes"
    n_trained = replace(shape, n_layers=profile.n_adapted(shape.n_layers)).n_adapter_parameters(profile.lora_rank)
    return {
        "for": profile.purpose,
        "base model": profile.base_model,
        "parameters": f"{shape.n_parameters / 1e6:,.1f} million",
        "trained by LoRA": f"{n_trained / 1e6:,.1f} million",
        "weights while training": f"{4 if profile.load_in_4bit else 32 if in_float32 else 16} bits",
        "backend": profile.backend,
        "rows per step": f"{profile.batch_size} x {profile.gradient_accumulation}",
        "learning rate": f"{profile.learning_rate:g}",
        "epochs": f"{profile.epochs:g}",
        f"training, rows of {TYPICAL_TOKENS} tokens": f"{estimate_profile(profile, TYPICAL_TOKENS).total_gib:.1f} GiB",
        "training, longest rows": f"{longest.total_gib:.1f} GiB of {profile.max_length} tokens",
        "replying, longest prompts": f"{estimate_generation(profile).total_gib:.1f} GiB",
        "memory wanted": f"{wanted_gib(profile)} GiB of {'the GPU' if profile.n_gpus else 'the machine'}",
        "downloads from the Hub": downloads if profile.needs_hub else "no",
    }
