"""Three settings to begin with, from careful to bold: how much changes, how fast and how long."""

from dataclasses import dataclass, replace

from course_utils.errors import ConfigurationError
from course_utils.profiles import Profile


@dataclass(frozen=True)
class Preset:
    """What a preset sets in a profile."""

    lora_rank: int
    rate_factor: float
    """Multiplies the profile's learning rate, which suits its model: 2e-4 for models of billions of parameters."""
    epochs: float
    effective_batch_size: int


PRESETS = {
    "conservative": Preset(lora_rank=8, rate_factor=0.5, epochs=2.0, effective_batch_size=4),
    "balanced": Preset(lora_rank=16, rate_factor=1.0, epochs=3.0, effective_batch_size=8),
    "aggressive": Preset(lora_rank=64, rate_factor=2.5, epochs=5.0, effective_batch_size=16),
}
"""With a rate of 2e-4: 1e-4, 2e-4 and 5e-4."""


def apply_preset(profile: Profile, name: str) -> Profile:
    """The profile with a preset's rank, rate, epochs and effective batch.

    The adapter keeps its scale, alpha / rank, and the forward pass its rows, or fewer where the batch is smaller.

    Raises:
        ConfigurationError: There is no such preset.
    """
    if name not in PRESETS:
        raise ConfigurationError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    preset = PRESETS[name]
    changed = replace(
        profile,
        lora_rank=preset.lora_rank,
        lora_alpha=max(1, round(preset.lora_rank * profile.lora_alpha / profile.lora_rank)),
        learning_rate=profile.learning_rate * preset.rate_factor,
        epochs=preset.epochs,
    )
    return changed.with_batch_size(profile.batch_size, preset.effective_batch_size)
