"""Learn from pairs of a better and a worse answer: direct preference optimization, after supervised fine-tuning."""

import json
import math
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from course_utils.artifacts import Row, portable
from course_utils.errors import DataError
from course_utils.profiles import Profile
from course_utils.prompts import EncodedExample, encode_example
from course_utils.sql import list_databases
from course_utils.tasks import Task
from course_utils.training.policy import PolicyResult, load_policy, policy_settings, train_policy

FIELDS = ("db_id", "question", "chosen", "rejected")
BETA = 0.1
"""Reward of an answer, per nat that the policy finds it likelier than the start did."""
RATE_FACTOR = 0.25
"""Of the profile's learning rate: a policy should move little away from what it knows."""


def read_pairs(dataset: Path) -> list[Row]:
    """The pairs of a dataset's ``preferences.jsonl``, each with ``FIELDS``.

    Raises:
        DataError: Pairs lack a field, prefer nothing, or are about no database of the dataset; lists every one.
    """
    path, databases = dataset / "preferences.jsonl", list_databases(dataset)
    lines = [(number, line) for number, line in enumerate(path.read_text("utf-8-sig").split("\n"), 1) if line.strip()]
    rows = [_parse(line) for _, line in lines]
    faults = [(number, _fault(row, databases)) for (number, _), row in zip(lines, rows, strict=True)]
    if wrong := [f"{portable(str(path))}:{number}: {fault}" for number, fault in faults if fault]:
        raise DataError("\n".join(wrong))
    return rows


def _parse(line: str) -> Row:
    with suppress(ValueError):
        if isinstance(row := json.loads(line), dict):
            return row
    return {}


def _fault(row: Row, databases: Container[str]) -> str:
    if missing := [name for name in FIELDS if not isinstance(text := row.get(name), str) or not text.strip()]:
        return f"no text for {', '.join(missing)}; every line is a JSON object with {', '.join(FIELDS)}"
    if row["chosen"].strip() == row["rejected"].strip():
        return "chosen and rejected are the same; write a worse answer as rejected, or drop the pair"
    if row["db_id"] not in databases:
        return f"no database {row['db_id']!r}; add it to the dataset, or mend db_id"
    return ""


def train_dpo(
    profile: Profile, model: str | Path, adapter: Path, pairs: Sequence[Row], task: Task, output: Path
) -> PolicyResult:
    r"""Move a tuned model towards the better answer of each pair and away from the worse one.

    With :math:`\pi` the policy, :math:`\pi_0` its start, x the prompt, :math:`y_+` and :math:`y_-` the better and the
    worse answer, the loss is :math:`-\log \sigma(m)` of the *margin*, which is 0 at the start:

    .. math:: m = \beta \log\frac{\pi(y_+|x)}{\pi_0(y_+|x)} - \beta \log\frac{\pi(y_-|x)}{\pi_0(y_-|x)}

    Source: Rafailov et al. 2023, arXiv:2305.18290.

    Args:
        profile: Sizes and seed; ``max_steps`` or else ``epochs`` decide the length.
        model: Folder or Hub id of the base model.
        adapter: What ``train_sft`` wrote.
        pairs: As ``read_pairs`` gives them. One in ten is held out, and measured before the first step and
            ``profile.n_evaluations`` times on the way.
        task: Gives a pair's prompt.
        output: Folder of the new adapter.

    Returns:
        Its history has ``margins``, their two terms ``chosen`` and ``rejected``, and ``accuracies``, the share of pairs
        with a margin above 0; each also as ``held-out ...``. All are means.

    Raises:
        DataError: Fewer than two pairs are short enough.
        ModelError: The model or the adapter is missing or incomplete.
        TrainingError: The loss is no number any more.
    """
    policy, tokenizer = load_policy(profile, model, adapter)
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    class PairTrainer(DPOTrainer):  # type: ignore[misc]
        def _prepare_dataset(self, dataset: Dataset, *_: object) -> Dataset:
            return dataset  # encoded already, by the one prompt module

    encoded = [[encode_example(tokenizer, task.to_messages(pair), pair[name]) for name in FIELDS[2:]] for pair in pairs]
    short = [_columns(*two) for two in encoded if all(len(each.input_ids) <= profile.max_length for each in two)]
    if len(short) < 2:
        raise DataError(f"{len(short)} of {len(pairs)} pairs fit max_length={profile.max_length}, but 2 must; raise it")
    Random(profile.seed).shuffle(short)
    n_held_out, n_step = math.ceil(len(short) / 10), profile.effective_batch_size
    n_steps = profile.max_steps or math.ceil((len(short) - n_held_out) * profile.epochs / n_step)
    arguments = DPOConfig(
        **policy_settings(profile, RATE_FACTOR * profile.learning_rate, n_steps, output),
        beta=BETA,
        max_length=profile.max_length,
        precompute_ref_log_probs=True,  # the start is asked once, and no second model is kept
        per_device_eval_batch_size=profile.batch_size,
        eval_strategy="steps",
        eval_on_start=True,
        eval_steps=math.ceil(n_steps / profile.n_evaluations),
    )
    train, held_out = short[n_held_out : n_held_out + n_steps * n_step], short[:n_held_out]
    data = {"train_dataset": Dataset.from_list(train), "eval_dataset": Dataset.from_list(held_out)}
    trainer = PairTrainer(policy, args=arguments, processing_class=tokenizer, **data)
    return train_policy(trainer, len(pairs) - len(short))


def _columns(better: EncodedExample, worse: EncodedExample) -> dict[str, list[int]]:
    """What TRL makes of a pair."""
    n, ids, others = better.completion_mask.index(1), better.input_ids, worse.input_ids
    return {"prompt_ids": ids[:n], "chosen_ids": ids[n:], "rejected_ids": others[n:]}
