"""Device and number format follow the hardware, and say why."""

import pytest
import torch

from course_utils.models import choose_device, choose_dtype


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_cpu_is_chosen_with_the_reason() -> None:
    choice = choose_device()
    assert choice.value == "cpu"
    assert "no GPU" in choice.reason


def test_a_cpu_computes_in_float32() -> None:
    choice = choose_dtype("cpu")
    assert choice.value == "float32"
    assert "slower" in choice.reason


@pytest.mark.parametrize(("modern", "dtype"), [(True, "bfloat16"), (False, "float16")])
def test_a_gpu_computes_in_bfloat16_where_it_can(modern: bool, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A T4 emulates bfloat16, slowly; only a real one counts.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: modern or including_emulation)
    choice = choose_dtype("cuda")
    assert choice.value == dtype
    assert choice.reason


def test_every_format_is_one_of_torchs() -> None:
    for device in ("cpu", "mps"):
        assert isinstance(getattr(torch, choose_dtype(device).value), torch.dtype)
