"""The training stage: adapters or all weights, through Unsloth on a GPU, TRL and PEFT anywhere."""

from course_utils.training.backends import count_parameters, lora_config
from course_utils.training.diagnosis import Diagnosis, diagnose
from course_utils.training.examples import TokenizedRows, label_findings, tokenize_rows
from course_utils.training.history import TrainingResult, plot_losses
from course_utils.training.presets import PRESETS, apply_preset
from course_utils.training.sft import train_sft

__all__ = [
    "PRESETS",
    "Diagnosis",
    "TokenizedRows",
    "TrainingResult",
    "apply_preset",
    "count_parameters",
    "diagnose",
    "label_findings",
    "lora_config",
    "plot_losses",
    "tokenize_rows",
    "train_sft",
]
