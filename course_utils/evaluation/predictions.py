"""Ask a model every test question, and read predictions that anybody wrote."""

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.artifacts import Row
from course_utils.errors import DataError
from course_utils.models import Reply, generate_replies
from course_utils.profiles import Profile
from course_utils.prompts import encode_prompt
from course_utils.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

REQUIRED = ("id", "db_id", "query", "predicted")


def predict(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[Row],
    task: Task,
    profile: Profile,
    *,
    progress: str = "",
    max_s: float | None = None,
) -> list[Row]:
    """Greedy answers of a model to the rows, in their order.

    Args:
        model: In evaluation mode.
        tokenizer: Of the same model.
        rows: With what the task reads.
        task: Gives a row's messages, and says what counts of a reply.
        profile: Gives ``generation_batch_size`` and ``max_new_tokens``.
        progress: Label of a progress bar; none if empty.
        max_s: Seconds behind which no batch is begun; None answers every row.

    Returns:
        The rows, or the first of them where the time is limited, with three more fields. ``predicted``: what counts of
        the reply. ``seconds`` and ``stopped``: as ``models.Reply`` explains them.
    """
    prompts = [encode_prompt(tokenizer, task.to_messages(row)) for row in rows]
    sizes = {"max_new_tokens": profile.max_new_tokens, "batch_size": profile.generation_batch_size}
    replies: list[Reply] = []
    began = time.perf_counter()
    n_at_once = profile.generation_batch_size if max_s else max(1, len(prompts))
    for start in range(0, len(prompts), n_at_once):
        if max_s and start and time.perf_counter() - began > max_s:
            break
        some = prompts[start : start + n_at_once]
        replies += generate_replies(model, tokenizer, some, **sizes, progress=progress)
    return [
        {**row, "predicted": task.read_reply(reply.text), "seconds": reply.seconds, "stopped": reply.stopped}
        for row, reply in zip(rows, replies, strict=False)
    ]


def read_predictions(path: Path) -> list[Row]:
    """Read and check predictions: one JSON object per line with id, db_id, query and predicted.

    Any end of line, a byte-order mark and empty lines are accepted; further fields are kept.
    Each row gets ``place``, its file and line, for later messages.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or rows are wrong; every wrong row is listed.
    """
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; give a .jsonl file of predictions")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error}); save the file as UTF-8") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        raise DataError(f"{path}: the file is empty; write one prediction per line")
    rows = [(number, *_parse(line)) for number, line in lines]
    wrong = [f"{path}:{number}: {reason}" for number, _, reason in rows if reason]
    wrong += _repeated_ids(path, [(number, row["id"]) for number, row, reason in rows if not reason])
    if wrong:
        raise DataError("\n".join(wrong))
    return [{**row, "place": f"{path}:{number}"} for number, row, _ in rows]


def _repeated_ids(path: Path, ids: list[tuple[int, str]]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f'{path}:{number}: "id" {id_!r} is already on line {first[id_]}; keep one of them'
        for number, id_ in ids
        if first.setdefault(id_, number) != number
    ]


def _parse(line: str) -> tuple[Row, str]:
    """A row and what is wrong with it; an empty text if nothing is."""
    try:
        row = json.loads(line)
    except ValueError as error:
        return {}, f"not JSON ({error}); write one object per line"
    if not isinstance(row, dict):
        return {}, f"a {type(row).__name__} instead of an object; write one object per line"
    if isinstance(row.get("id"), int):
        row["id"] = str(row["id"])
    missing = [f'"{key}"' for key in REQUIRED if key not in row]
    if missing:
        return {}, f"{', '.join(missing)} missing; every row needs {', '.join(REQUIRED)}"
    wrong = [f'"{key}"' for key in REQUIRED if not isinstance(row[key], str)]
    if wrong:
        return {}, f'{", ".join(wrong)} not a text; write "" where the model gave nothing'
    empty = [f'"{key}"' for key in REQUIRED if key != "predicted" and not row[key].strip()]
    return row, f"{', '.join(empty)} empty; only predicted may be" if empty else ""
