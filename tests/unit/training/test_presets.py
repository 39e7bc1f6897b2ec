"""The presets give the playbook's numbers, whatever the profile's own batch."""

from dataclasses import replace

import pytest

from course_utils.profiles import PROFILES, Profile, get_profile
from course_utils.training import PRESETS

TABLE = {"conservative": (8, 1e-4, 2, 4), "balanced": (16, 2e-4, 3, 8), "aggressive": (64, 5e-4, 5, 16)}


@pytest.mark.parametrize("name", TABLE)
def test_a_large_model_gets_the_numbers_of_the_table(name: str) -> None:
    changed = PRESETS[name].apply(get_profile("gpu_24gb"))
    found = (changed.lora_rank, changed.learning_rate, changed.epochs, changed.effective_batch_size)
    assert found == pytest.approx(TABLE[name])
    assert changed.lora_alpha == changed.lora_rank


@pytest.mark.parametrize("profile", PROFILES.values(), ids=lambda profile: profile.name)
def test_any_profile_can_take_any_preset(profile: Profile) -> None:
    for batch_size in (1, 3, 5, 8, 100):
        for name, (_, _, _, effective) in TABLE.items():
            changed = PRESETS[name].apply(replace(profile, batch_size=batch_size))
            assert changed.effective_batch_size == effective
            assert changed.batch_size <= batch_size
            assert changed.name == profile.name


def test_a_tiny_model_keeps_a_rate_that_teaches_it() -> None:
    smoke = get_profile("smoke")
    rates = [preset.apply(smoke).learning_rate for preset in PRESETS.values()]
    assert rates == pytest.approx([smoke.learning_rate * factor for factor in (0.5, 1, 2.5)])
