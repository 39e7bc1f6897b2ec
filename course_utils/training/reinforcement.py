"""Reinforcement learning from executed queries: a dense reward, and GRPO after supervised fine-tuning."""

import math
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from course_utils.errors import DataError, QueryError
from course_utils.files import Row
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.prompts import TEMPLATE_OPTIONS, encode_prompt
from course_utils.sql import compare_answers, find_database
from course_utils.sql.query_forms import parse, tables_read
from course_utils.tasks import Task
from course_utils.training.arguments import keep_to_one_gpu
from course_utils.training.policy import PolicyResult, load_policy, policy_settings, train_policy

N_ANSWERS = 8
"""Answers drawn for one question, which are compared with each other."""
N_QUESTIONS = 4
"""Questions in one optimizer step."""
RATE_FACTOR = 0.1
"""GRPO's learning rate as a share of the profile's, because rewards are a noisier signal than written answers."""
REFUSED = ("not allowed", "timeout", "too large")
"""Kinds of errors with a reward of 0: the query would change data, or needs too much time or memory."""


class Reward(NamedTuple):
    """The parts of an answer's reward, each from 0 to 1, in the order in which a model learns to earn them."""

    parses: float = 0.0
    tables: float = 0.0  # of the tables that this query or the gold one names, the share that both name
    columns: float = 0.0  # the same for columns
    runs: float = 0.0
    n_rows: float = 0.0  # the result has as many rows as the gold's
    right: float = 0.0  # the same, non-empty result as the gold's; then all other parts are 1 too

    @property
    def total(self) -> float:
        """The weighted sum of the parts, from 0 to 1."""
        return sum(weight * part for weight, part in zip(REWARD_WEIGHTS, self, strict=True))


REWARD_WEIGHTS = Reward(parses=0.05, tables=0.15, columns=0.2, runs=0.05, n_rows=0.05, right=0.5)
"""Half is for partial matches, because a model that is never right would learn nothing from ``right`` alone."""


def execution_reward(database: Path, gold: str, query: str) -> Reward:
    """The reward of a query, given the gold query. A worker process runs both on the SQLite file ``database``.

    Raises:
        QueryError: The gold query does not execute.
    """
    comparison = compare_answers(database, gold, query)
    found = comparison.found
    error = found.kind if isinstance(found, QueryError) else None
    if comparison.correct and not comparison.gold.is_empty:  # any query without rows would match an empty gold
        return Reward(*(1.0 for _ in REWARD_WEIGHTS))
    if error in REFUSED or not (wanted := _names(gold)) or not (named := _names(query)):
        return Reward()
    tables, columns = (len(a & b) / max(1, len(a | b)) for a, b in zip(wanted, named, strict=True))
    n_rows = -1 if isinstance(found, QueryError) else found.n_rows
    return Reward(1.0, tables, columns, float(error is None), float(n_rows == comparison.gold.n_rows))


def _names(query: str) -> tuple[set[str], set[str]] | None:
    """The tables and columns that a query names, in lower case; None if the text is not a SELECT."""
    from sqlglot import exp

    with suppress(QueryError):
        if isinstance(tree := parse(query), exp.Select | exp.SetOperation):  # EXPLAIN, for example, parses too
            return {*tables_read(tree)}, {part.name.lower() for part in tree.find_all(exp.Column, exp.Star)}
    return None


def train_grpo(
    profile: Profile, model: str | Path, adapter: Path, rows: Sequence[Row], task: Task, data: Path, output: Path
) -> PolicyResult:
    r"""Train a tuned model to prefer those of its own answers that earn more than others to the same question.

    Group relative policy optimization (Shao et al. 2024, arXiv:2402.03300) draws ``N_ANSWERS`` answers to a question.
    The gradient of each one's log probability is weighted by its advantage :math:`A_i = (r_i - \bar r) / s_r`, the
    reward minus the group's mean, in standard deviations. A group of equal rewards teaches nothing.

    ``data`` is a dataset with the databases, in Spider's layout; ``adapter`` and ``output`` are as for ``train_dpo``.

    Returns:
        Its history has the means of ``reward`` and of each part of ``Reward`` over the answers of a step.

    Raises:
        DataError: Fewer than ``N_QUESTIONS`` rows are short enough, or a database is missing.
        QueryError: A gold query does not execute.
        ModelError, TrainingError: As for ``train_dpo``.
    """
    policy, tokenizer = load_policy(profile, model, adapter)
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    room = profile.max_length - profile.max_new_tokens
    asked = [{"prompt": task.to_messages(row), "db_id": row["db_id"], "gold": row["query"]} for row in rows]
    short = [row for row in asked if len(encode_prompt(tokenizer, row["prompt"])) <= room]
    if len(short) < N_QUESTIONS:
        found = f"{len(short)} of {len(rows)} prompts have {room} tokens at most, but {N_QUESTIONS} must"
        raise DataError(f"{found}; raise max_length={profile.max_length} {IN_PROFILE}, or give more rows")
    files = {db_id: find_database(data, db_id, data) for db_id in {row["db_id"] for row in short}}

    def reward(completions: list[Any], db_id: list[str], gold: list[str], **more: Any) -> list[float]:
        queries = [task.read_reply(completion[0]["content"]) for completion in completions]
        earned = [execution_reward(files[db], *pair) for db, *pair in zip(db_id, gold, queries, strict=True)]
        for name, parts in zip(Reward._fields, zip(*earned, strict=True), strict=True):
            more["log_metric"](name, fmean(parts))
        return [each.total for each in earned]

    n_steps = profile.max_steps or math.ceil(len(short) * profile.epochs / N_QUESTIONS)
    grouped = profile.with_batch_size(profile.batch_size, N_ANSWERS * N_QUESTIONS)
    arguments = GRPOConfig(
        **policy_settings(grouped, RATE_FACTOR, n_steps, output),
        num_generations=N_ANSWERS,
        max_completion_length=profile.max_new_tokens,
        chat_template_kwargs=TEMPLATE_OPTIONS,
    )
    keep_to_one_gpu(arguments)
    trainer = GRPOTrainer(policy, reward, arguments, Dataset.from_list(short), processing_class=tokenizer)
    return train_policy(trainer, len(rows) - len(short))
