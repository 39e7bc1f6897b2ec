"""Continue training a tuned model, here from pairs of a better and a worse answer; ``reinforcement`` uses rewards.

Both call the model a policy. A run that was killed starts over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import TRACKING
from course_utils.errors import DataError
from course_utils.files import Row, read_checked_jsonl
from course_utils.models import load_model, load_tokenizer
from course_utils.network import disable_telemetry
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.prompts import encode_example
from course_utils.sql import folder_name, list_databases
from course_utils.tasks import Task
from course_utils.training.arguments import common_settings, keep_to_one_gpu, rate_ratio
from course_utils.training.examples import check_answer, control_tokens
from course_utils.training.tracking import tracking

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, Trainer

FIELDS = ("db_id", "question", "chosen", "rejected")
BETA = 0.1
"""Implicit reward of an answer, per nat by which its log probability exceeds that under the start."""
RATE_FACTOR = 0.025
"""DPO's learning rate as a share of the profile's: ten times as much lost answers (``benchmarks/after_sft.py``)."""


@dataclass(frozen=True)
class PolicyResult:
    """The outcome of ``train_dpo`` or ``train_grpo``; ``history`` has one record per step and per evaluation."""

    adapter: Path = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)
    n_steps: int
    n_too_long: int
    """Rows that were left out because they exceed ``max_length``."""


def load_policy(
    profile: Profile, model: str | Path, adapter: Path
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """Load what ``train_sft`` wrote for further training, by PEFT with any backend. Call it before importing TRL."""
    disable_telemetry()
    policy = load_model(model, adapter=adapter, load_in_4bit=profile.load_in_4bit)
    if hasattr(policy, "peft_config"):
        policy.set_adapter("default")  # makes its weights trainable; ``load_model`` freezes them
    else:
        policy.float()
    return policy, load_tokenizer(model)


def policy_settings(profile: Profile, factor: float, n_steps: int, output: Path) -> dict[str, Any]:
    """The settings of both trainers; the learning rate is ``factor`` times the geometric mean of A's and B's."""
    return common_settings(profile, n_steps, output) | {
        "max_steps": n_steps,
        "learning_rate": factor * profile.learning_rate * math.sqrt(rate_ratio(profile)),
        "per_device_train_batch_size": profile.batch_size,
        "logging_steps": 1,
        "save_strategy": "no",
        "disable_tqdm": True,
    }


def train_policy(trainer: "Trainer", n_too_long: int) -> PolicyResult:
    """Train, and save the adapter (or the whole model) and the tokenizer to the trainer's output folder."""
    from transformers import PrinterCallback

    from course_utils.training.trainer import run_callbacks, widen_trainable

    trainer.remove_callback(PrinterCallback)
    for callback in run_callbacks():
        trainer.add_callback(callback)
    widen_trainable(trainer.model)
    output = Path(trainer.args.output_dir)
    with tracking(trainer.args.report_to, output.parent / TRACKING):
        trainer.train()
    selected = {"selected_adapters": ["default"]} if hasattr(trainer.model, "peft_config") else {}
    trainer.model.save_pretrained(output, **selected)  # without TRL's second adapter, a copy of the start
    trainer.processing_class.save_pretrained(output)
    history = [
        {name.replace("eval_", "held-out ").replace("rewards/", ""): value for name, value in record.items()}
        for record in trainer.state.log_history[:-1]  # the last one sums up the run
    ]
    return PolicyResult(output, history, trainer.state.global_step, n_too_long)


def read_pairs(dataset: Path) -> list[Row]:
    """The pairs of a dataset's ``preferences.jsonl``, each with ``FIELDS``.

    Raises:
        DataError: The file is missing or empty, or pairs lack a field, have two equal answers, or name a database that
            the dataset lacks; every such pair is listed.
    """
    databases = list_databases(dataset)

    def check(pair: Row, _: str) -> Row:
        if missing := [name for name in FIELDS if not isinstance(text := pair.get(name), str) or not text.strip()]:
            raise ValueError(f"no text for {', '.join(missing)}")
        if pair["chosen"].strip() == pair["rejected"].strip():
            raise ValueError("chosen and rejected are the same: write a worse answer as rejected, or drop the pair")
        if folder_name(pair["db_id"]) not in databases:
            raise ValueError(f"no database {pair['db_id']!r}: add it to the dataset, or correct db_id")
        return pair

    return read_checked_jsonl(dataset / "preferences.jsonl", check, FIELDS)


def train_dpo(
    profile: Profile, model: str | Path, adapter: Path, pairs: Sequence[Row], task: Task, output: Path
) -> PolicyResult:
    r"""Move a tuned model towards the better answer of each pair and away from the worse one.

    With :math:`\pi` the policy, :math:`\pi_0` its start, x the prompt, :math:`y_+` the better and :math:`y_-` the worse
    answer, the loss is :math:`-\log \sigma(m)` of the *margin*, at first 0 (Rafailov et al. 2023, arXiv:2305.18290):

    .. math:: m = \beta \log\frac{\pi(y_+|x)}{\pi_0(y_+|x)} - \beta \log\frac{\pi(y_-|x)}{\pi_0(y_-|x)}

    ``adapter`` is the folder that ``train_sft`` wrote for ``model``; the new one goes to ``output``. One pair in ten is
    held out; these pairs are measured before the first step and up to ``profile.n_evaluations`` times after it.

    Returns:
        Its history has the means of ``margins`` and their two terms, ``chosen`` and ``rejected``, and ``accuracies``,
        the share of pairs with a margin above 0; each also as ``held-out ...``.

    Raises:
        DataError: Fewer than two pairs are short enough, or an answer holds a control token.
        ModelError: The model or the adapter is missing or incomplete.
        TrainingError: The loss is NaN or infinite.
    """
    policy, tokenizer = load_policy(profile, model, adapter)
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
            return dataset  # already encoded, by ``prompts``

    short = _encode_pairs(tokenizer, pairs, task, profile.max_length)
    Random(profile.seed).shuffle(short)
    n_held_out, n_step = math.ceil(len(short) / 10), profile.effective_batch_size
    n_steps = profile.max_steps or math.ceil((len(short) - n_held_out) * profile.epochs / n_step)
    held_out, train = map(Dataset.from_list, (short[:n_held_out], short[n_held_out : n_held_out + n_steps * n_step]))
    arguments = DPOConfig(**_pair_settings(profile, n_held_out, n_steps, output))
    keep_to_one_gpu(arguments)
    data = {"train_dataset": train, "eval_dataset": held_out}
    trainer = PairTrainer(policy, args=arguments, processing_class=tokenizer, **data)
    return train_policy(trainer, len(pairs) - len(short))


def _encode_pairs(tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[Row], task: Task, max_length: int) -> list[Row]:
    """Token ids of the prompt and of both answers, of the pairs that are short enough; or ``DataError``."""
    short, control = [], control_tokens(tokenizer)
    for pair in pairs:
        messages = task.to_messages(pair)
        for name in FIELDS[2:]:
            check_answer(tokenizer, control, pair[name], f"{name} for {messages[-1]['content']!r}")
        better, worse = (encode_example(tokenizer, messages, pair[name]) for name in FIELDS[2:])
        if max(len(better.input_ids), len(worse.input_ids)) <= max_length:
            n, ids, others = better.completion_mask.index(1), better.input_ids, worse.input_ids
            short.append({"prompt_ids": ids[:n], "chosen_ids": ids[n:], "rejected_ids": others[n:]})
    if len(short) < 2:
        found = f"{len(short)} of {len(pairs)} pairs fit max_length={max_length}, but 2 must"
        raise DataError(f"{found}; add pairs, or raise max_length {IN_PROFILE}")
    return short


def _pair_settings(profile: Profile, n_held_out: int, n_steps: int, output: Path) -> dict[str, Any]:
    return policy_settings(profile, RATE_FACTOR, n_steps, output) | {
        "beta": BETA,
        "max_length": profile.max_length,
        "precompute_ref_log_probs": True,  # the start's, so that no second model is kept in memory
        "per_device_eval_batch_size": profile.with_batch_size(profile.batch_size, n_held_out).batch_size,  # equal ones
        "eval_strategy": "steps",
        "eval_on_start": True,
        "eval_steps": math.ceil(n_steps / profile.n_evaluations),
    }
