"""Ask a model every test question, by the prompt of the course or another, and read predictions that anybody wrote."""

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
    """What to ask about each row: the task's chat, or as ``plain`` a document without a chat template.

    ``n_examples`` rows of ``train`` are shown with their answers: those whose questions are most like the row's, by the
    cosine of TF-IDF vectors of their words, and the most like it last.
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
    """Greedy answers to the rows, in their order, of a model in evaluation mode.

    ``prompts`` are what to ask about each row, all chats or all documents; none for the task's own chats. ``progress``
    labels a bar.

    Returns:
        The rows with three more fields. ``predicted``: what counts of the reply, as the task says. ``seconds`` and
        ``stopped``: as ``models.Reply`` explains them.
    """
    from course_utils.models import ask_model  # who reads predictions loads no models

    replies = ask_model(model, tokenizer, prompts or make_prompts(rows, task), profile, progress)
    return read_replies(rows, task, replies)


def read_replies(rows: Sequence[Row], task: Task, replies: "Sequence[Reply]") -> list[Row]:
    """The rows with what counts of their replies, as ``predict`` gives them."""
    return [
        {**row, "predicted": task.read_reply(reply.text), "seconds": reply.seconds, "stopped": reply.stopped}
        for row, reply in zip(rows, replies, strict=True)
    ]


def predict_file(path: Path, rows: Sequence[Row], prompts: Sequence[Prompt], task: Task, engine: "Engine") -> int:
    """Write predictions a batch of the engine at a time, and say how many were there before.

    The file is its own cache. ``asked`` of a line is a hash of all that its answer follows from: row, prompt and the
    engine's ``made_by``. A run that was cut off resumes to the same file, but for the seconds.

    Raises:
        DataError: The file holds other predictions, or another run writes to it; they stay.
    """
    from tqdm.auto import tqdm

    keys = [hash_of([engine.made_by, prompt, row])[:16] for prompt, row in zip(prompts, rows, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        file.seek(0)
        *lines, rest = file.read().split(b"\n")
        ours = [number < len(keys) and keys[number].encode() in line for number, line in enumerate(lines)]
        if rest:  # a line that was cut off begins as the next row does, if there is one
            begun = to_line(rows[len(lines)])[:-2] if len(lines) < len(rows) else b"\n"
            ours.append(rest.startswith(begun[: len(rest)]))
        if not all(ours):
            reason = "answers another row, prompt or model than is asked now"
            raise DataError(f"{path}:{ours.index(False) + 1}: {reason}; name another file, or remove this one")
        # A row asked in a batch with others may be answered in other words: numbers are rounded otherwise.
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
    """Read and check predictions, whoever wrote them: one JSON object per line with the required fields.

    Any end of line, a byte-order mark and empty lines are accepted; further fields are kept. Of ``raw`` predictions,
    which are whole replies, the query is read as serving does. Each row gets ``place``, its file and line.

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
