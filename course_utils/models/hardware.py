"""Where to compute and in which number format, each with the reason."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choice:
    """A decision about the machine and the reason for it."""

    value: str
    reason: str


def choose_device() -> Choice:
    """The device to run on: ``cuda``, ``mps`` or ``cpu``."""
    import torch

    if torch.cuda.is_available():
        return Choice("cuda", f"{torch.cuda.get_device_name()} is available")
    if torch.backends.mps.is_available():
        return Choice("mps", "Apple's GPU is available")
    return Choice("cpu", "no GPU is available")


def choose_dtype(device: str) -> Choice:
    """The number format to compute in: ``bfloat16``, ``float16`` or ``float32``.

    Not bfloat16 on a CPU even where it is fast (AMX): without AVX-512 it is tens of times slower, and
    one format everywhere keeps the course's numbers comparable.
    """
    import torch

    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Choice("bfloat16", "this GPU computes in bfloat16, which keeps float32's range")
        return Choice("float16", "this GPU is older than bfloat16")
    if device == "mps":
        return Choice("float32", "training in float16 needs loss scaling, which Apple's GPUs do without in float32")
    return Choice("float32", "most CPUs compute 16-bit numbers slower than float32, some tens of times slower")
