"""The table of profiles: complete, consistent, and closed to values that make no sense."""

import math
from dataclasses import FrozenInstanceError, replace

import pytest

from course_utils.errors import ConfigurationError
from course_utils.files import PROJECT
from course_utils.profiles import PRESETS, PROFILES, get_profile


def test_the_design_names_these_profiles() -> None:
    assert list(PROFILES) == ["smoke", "laptop", "gpu_8gb", "gpu_16gb", "gpu_24gb", "multi_gpu"]
    assert all(name == profile.name for name, profile in PROFILES.items())


def test_smoke_needs_neither_gpu_nor_hub() -> None:
    smoke = get_profile("smoke")
    assert not smoke.needs_hub
    assert smoke.n_gpus == 0
    assert smoke.backend == "trl"
    assert (PROJECT / smoke.base_model / "config.json").is_file()


def test_only_profiles_with_a_gpu_use_four_bits_or_unsloth() -> None:
    for profile in PROFILES.values():
        assert profile.n_gpus > 0 or not (profile.load_in_4bit or profile.backend == "unsloth"), profile.name


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="'gpu_12gb' is unknown; choose one of smoke, laptop, gpu_8gb"):
        get_profile("gpu_12gb")


def test_a_profile_cannot_be_changed_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        get_profile("smoke").epochs = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs": 0}, "epochs must be above 0, not 0"),
        ({"batch_size": -4}, "batch_size must be above 0, not -4"),
        ({"learning_rate": 2}, "learning_rate must be between 0 and 1, not 2"),
        ({"learning_rate": "2e-4"}, "learning_rate must be between 0 and 1, not '2e-4'"),
        ({"learning_rate": float("nan")}, "learning_rate must be between 0 and 1, not nan"),
        ({"adapted_share": 1.5}, "adapted_share must be above 0 and 1 at most, not 1.5"),
        ({"loraplus_ratio": 0}, "loraplus_ratio must be above 0, not 0"),
        ({"adam_betas": (0.9, 1)}, "adam_betas must be between 0 and 1, not (0.9, 1)"),
        ({"max_train_rows": 0}, "max_train_rows must be above 0, or None for no limit, not 0"),
        ({"max_new_tokens": True}, "max_new_tokens must be above 0, not True"),
        ({"batch_size": 2.5}, "batch_size must be a whole number, not 2.5"),
        ({"min_steps": "50"}, "min_steps must be a whole number, not '50'"),
        ({"max_steps": 2.5}, "max_steps must be a whole number, not 2.5"),
        ({"seed": True}, "profile 'smoke': seed must be a whole number, not True"),
        ({"warmup_steps": -5}, "warmup_steps must be 0 or more, not -5"),
        ({"epochs": math.inf}, "epochs must be above 0, not inf"),
        ({"backend": "Unsloth"}, "backend must be one of trl, unsloth, fsdp, not 'Unsloth'"),
        ({"track": "comet"}, "track must be one of tensorboard, mlflow, wandb, not 'comet'"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        replace(get_profile("smoke"), **change)  # type: ignore[arg-type]
    assert message in str(caught.value)
    assert "profiles.py" in str(caught.value)


def test_every_wrong_value_is_reported_at_once() -> None:
    with pytest.raises(ConfigurationError, match=r"epochs .*; .*learning_rate"):
        replace(get_profile("smoke"), epochs=-1, learning_rate=7)


def test_the_effective_batch_is_rows_per_optimizer_step() -> None:
    assert replace(get_profile("smoke"), batch_size=4, gradient_accumulation=8).effective_batch_size == 32


def test_only_the_profile_for_slow_machines_limits_the_time_of_experiments() -> None:
    assert {name: profile.experiment_s for name, profile in PROFILES.items() if profile.experiment_s} == {"laptop": 90}


@pytest.mark.parametrize(
    ("n_rows", "epochs"), [(1500, 2.0), (600, 2.0), (300, 3.9), (120, 10.0), (30, 30.0), (1, 30.0)]
)
def test_few_rows_are_read_more_often(n_rows: int, epochs: float) -> None:
    profile = replace(get_profile("smoke"), batch_size=8, gradient_accumulation=1, epochs=2.0, min_steps=150)
    assert profile.fit_to(n_rows).epochs == epochs
    laptop = replace(get_profile("laptop"), epochs=2.0, min_steps=150)
    assert (laptop.fit_to(n_rows).adam_betas == laptop.adam_betas) == (epochs == 2.0)
    assert replace(profile, min_steps=0).fit_to(n_rows).epochs == profile.epochs


def test_presets_change_rank_rate_epochs_and_rows_but_not_the_adapters_scale() -> None:
    profile = replace(get_profile("smoke"), lora_rank=16, lora_alpha=32, learning_rate=4e-3, batch_size=8)
    presets = [profile.with_preset(name) for name in PRESETS]
    assert [(each.lora_rank, each.lora_alpha, each.epochs) for each in presets] == [
        (8, 16, 2.0),
        (16, 32, 3.0),
        (64, 128, 5.0),
    ]
    assert [each.learning_rate for each in presets] == [pytest.approx(rate) for rate in (2e-3, 4e-3, 1e-2)]
    assert [(each.batch_size, each.gradient_accumulation) for each in presets] == [(4, 1), (8, 1), (8, 2)]


@pytest.mark.parametrize("name", PROFILES)
def test_every_profile_takes_enough_steps_on_a_strangers_thirty_rows(name: str) -> None:
    fitted = get_profile(name).fit_to(30)
    assert -(-30 // fitted.effective_batch_size) * fitted.epochs >= 50
