"""LoRA's configuration, and how many parameters it trains."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils.profiles import Profile

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import PreTrainedModel


def lora_config(profile: Profile) -> "LoraConfig":
    r"""PEFT's configuration for a profile: every linear layer but the output head.

    A frozen weight :math:`W` of shape (out, in) gets an update of rank r,
    :math:`W' = W + \frac{\alpha}{r} B A`, with A (r, in) random and B (out, r) zero at the start, so that
    training begins at the base model exactly. Source: Hu et al. 2021, arXiv:2106.09685.
    """
    from peft import LoraConfig

    return LoraConfig(
        r=profile.lora_rank,
        lora_alpha=profile.lora_alpha,
        lora_dropout=profile.lora_dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


@dataclass(frozen=True)
class ParameterCount:
    """Parameters of a model with an adapter."""

    trainable: int
    total: int

    @property
    def share(self) -> float:
        """Trainable share, between 0 and 1."""
        return self.trainable / self.total

    def _repr_html_(self) -> str:
        return f"<b>{self.trainable:,}</b> of {self.total:,} parameters are trained ({self.share:.1%})"


def count_parameters(model: "PreTrainedModel") -> ParameterCount:
    """Count all parameters, and those that receive gradients."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return ParameterCount(sum(n for n, trained in sizes if trained), sum(n for n, _ in sizes))
