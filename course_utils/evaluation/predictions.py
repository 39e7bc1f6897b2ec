"""Ask a model the test questions, with the course's prompt or another one, and read anybody's predictions."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.errors import DataError
from course_utils.files import Row, hash_of, read_checked_jsonl, to_line
from course_utils.profiles import Profile
from course_utils.prompts import Prompt, add_examples, read_query, to_document
from course_utils.tasks import Task

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from course_utils.models.generation import Engine, Reply

REQUIRED = ("id", "db_id", "query", "predicted")


def make_prompts(
    rows: Sequence[Row], task: Task, *, plain: bool = False, train: Sequence[Row] = (), n_examples: int = 0
) -> list[Prompt]:
    """The prompt for each row: the task's chat or, if ``plain``, a document without a chat template.

    Each prompt shows ``n_examples`` rows of ``train`` with their answers: the ones with the most similar questions, by
    the cosine of TF-IDF word vectors, with the most similar last.
    """
    chats = [task.to_messages(row) for row in rows]
    if n_examples:
        from sklearn.feature_extraction.text import TfidfVectorizer

        known = [task.to_messages(row)[-1]["content"] for row in train]
        vectors = (vectorizer := TfidfVectorizer()).fit_transform(known)
        likeness = vectorizer.transform([chat[-1]["content"] for chat in chats]) @ vectors.T
        nearest = likeness.toarray().argsort(kind="stable")[:, -n_examples:]
        shown = [[(known[i], task.to_target(train[i])) for i in places] for places in nearest]
        chats = [add_examples(chat, examples) for chat, examples in zip(chats, shown, strict=True)]
    return [to_document(chat) if plain else chat for chat in chats]


def predict(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Row],
    task: Task,
    profile: Profile,
    *,
    prompts: Sequence[Prompt] = (),
    progress: str = "",
) -> list[Row]:
    """Greedy answers of a model in evaluation mode to the rows, in their order.

    ``prompts`` holds one prompt per row, all chats or all documents; empty for the task's own chats. ``progress`` is
    the label of a progress bar; empty for none.

    Returns:
        The rows with three more fields: ``predicted``, the answer that the task reads in the reply, and ``seconds`` and
        ``stopped`` as in ``models.Reply``.
    """
    from course_utils.models import ask_model  # imported here, because reading predictions needs no model

    replies = ask_model(model, tokenizer, prompts or make_prompts(rows, task), profile, progress)
    return read_replies(rows, task, replies)


def read_replies(rows: Sequence[Row], task: Task, replies: "Sequence[Reply]") -> list[Row]:
    """The rows with the three fields that ``predict`` adds, from their replies."""
    return [
        {**row, "predicted": task.read_reply(reply.text), "seconds": reply.seconds, "stopped": reply.stopped}
        for row, reply in zip(rows, replies, strict=True)
    ]


def predict_file(path: Path, rows: Sequence[Row], prompts: Sequence[Prompt], task: Task, engine: "Engine") -> int:
    """Write predictions to a file, one batch of the engine at a time; return how many were kept from an earlier run.

    Each line has ``asked``, a hash of all that its answer depends on: row, prompt and the engine's ``made_by``. A run
    that was interrupted resumes after its last full batch and ends with the same file, apart from the seconds.

    Raises:
        DataError: The file holds other predictions, or another run writes to it; the file stays unchanged.
    """
    from tqdm.auto import tqdm

    keys = [hash_of([engine.made_by, prompt, row])[:16] for prompt, row in zip(prompts, rows, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        *lines, rest = file.read().split(b"\n")
        ours = [number < len(keys) and keys[number].encode() in line for number, line in enumerate(lines)]
        if rest:  # an incomplete last line must be the beginning of the next row's line
            begun = to_line(rows[len(lines)])[:-2] if len(lines) < len(rows) else b"\n"
            ours.append(rest.startswith(begun[: len(rest)]))
        if not all(ours):
            reason = "this line is from another row, prompt or model"
            raise DataError(f"{path}:{ours.index(False) + 1}: {reason}; name another file, or remove this one")
        # Batches stay the same, because rounding depends on the batch, and with it sometimes the answer.
        n_kept = len(lines) if len(lines) == len(keys) else len(lines) - len(lines) % engine.n_at_once
        n_bytes = sum(len(line) + 1 for line in lines[:n_kept])
        file.truncate(n_bytes)
        for start in tqdm(range(n_kept, len(keys), engine.n_at_once), path.stem, unit="batch"):
            some = slice(start, start + engine.n_at_once)
            answers = zip(read_replies(rows[some], task, engine.ask(prompts[some])), keys[some], strict=True)
            if file.seek(0, os.SEEK_END) != n_bytes:
                raise DataError(f"{path}: another run writes to it; let that one end, or name another file")
            file.writelines(to_line(row | {"asked": key}) for row, key in answers)
            file.flush()
            n_bytes = file.tell()
    return n_kept


def read_predictions(path: Path, required: Sequence[str] = REQUIRED, *, raw: bool = False) -> list[Row]:
    """Read and check a file of predictions: one JSON object per line with the required fields.

    Any line ending, a byte order mark and empty lines are accepted; other fields are kept. If ``raw``, ``predicted`` is
    a whole reply, from which the query is read as in serving. Each row gets ``place``, its file and line.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or rows are wrong; every wrong row is listed.
    """
    first: dict[str, str] = {}

    def check(row: Row, place: str) -> Row:
        if isinstance(row.get("id"), int):
            row["id"] = str(row["id"])
        texts = {key: value.strip() or key == "predicted" for key, value in row.items() if isinstance(value, str)}
        if wrong := [f'"{key}"' for key in required if not texts.get(key)]:
            raise ValueError(f"{', '.join(wrong)} missing or no text; only predicted may be empty")
        if first.setdefault(row["id"], place) != place:
            raise ValueError(f'"id" {row["id"]!r} is already on line {first[row["id"]].rpartition(":")[2]}')
        return row | {"place": place} | ({"predicted": read_query(row["predicted"])} if raw else {})

    return read_checked_jsonl(path, check, required)
