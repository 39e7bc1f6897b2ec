"""Three settings to begin with, from careful to bold: how much changes, how fast and how long."""

from dataclasses import replace
from typing import NamedTuple

from course_utils.profiles import Profile


class Preset(NamedTuple):
    """What a preset sets; its factor multiplies the profile's learning rate, which suits the size of its model."""

    lora_rank: int
    rate_factor: float
    epochs: float
    effective_batch_size: int

    def apply(self, profile: Profile) -> Profile:
        """The profile with these; the adapter keeps its scale, alpha / rank, and a forward pass its rows at most."""
        changed = replace(
            profile,
            lora_rank=self.lora_rank,
            lora_alpha=max(1, round(self.lora_rank * profile.lora_alpha / profile.lora_rank)),
            learning_rate=profile.learning_rate * self.rate_factor,
            epochs=self.epochs,
        )
        return changed.with_batch_size(profile.batch_size, self.effective_batch_size)


PRESETS = {
    "conservative": Preset(8, 0.5, 2.0, 4),
    "balanced": Preset(16, 1.0, 3.0, 8),
    "aggressive": Preset(64, 2.5, 5.0, 16),
}
"""With the rate for billions of parameters, 2e-4, these are 1e-4, 2e-4 and 5e-4."""
