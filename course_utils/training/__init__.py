"""The training stage: train an adapter or all weights, with Unsloth on a GPU or with TRL and PEFT on any machine."""

from course_utils.training.backends import adapter_config
from course_utils.training.diagnosis import Diagnosis, diagnose, plot_losses
from course_utils.training.examples import TokenizedRows, TrainingData, label_findings, tokenize_rows
from course_utils.training.forgetting import other_prompts, own_replies, reply_loss, reply_losses
from course_utils.training.policy import read_pairs, train_dpo
from course_utils.training.reinforcement import REWARD_WEIGHTS, Reward, execution_reward, train_grpo
from course_utils.training.sft import TrainingResult, train_sft

__all__ = ["REWARD_WEIGHTS", "Diagnosis", "Reward", "TokenizedRows", "TrainingData", "TrainingResult"]
__all__ += ["adapter_config", "diagnose", "execution_reward", "label_findings", "other_prompts", "own_replies"]
__all__ += ["plot_losses", "read_pairs", "reply_loss", "reply_losses", "tokenize_rows", "train_dpo", "train_grpo"]
__all__ += ["train_sft"]
