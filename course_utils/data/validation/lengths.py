"""Rows that a profile's ``max_length`` would cut, counted with the tokenizer that will cut them.

What is cut is the end: the query, and the token that teaches a model to stop.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.finding import Finding, Problem
from course_utils.data.formats.record import Record
from course_utils.prompts import encode_example, to_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SLACK = 24
"""Tokens by which a sum of parts may miss the whole: words that join up at the seams, spaces that are trimmed."""


def find_too_long(
    records: Sequence[Record],
    schemas: Mapping[str, str],
    tokenizers: Iterable["PreTrainedTokenizerBase"],
    max_length: int,
) -> list[Finding]:
    """Rows of more tokens, prompt and completion together, than ``max_length``, for each tokenizer.

    Rows are encoded as training does only where their parts add up to nearly the limit; equal texts are counted once.

    Args:
        records: Rows with db_id, question and query.
        schemas: Rendered schema by ``db_id``.
        tokenizers: Each with a chat template.
        max_length: The profile's limit in tokens.

    Raises:
        ModelError: A tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    found = []
    for tokenizer in tokenizers:
        for record, (n_prompt, n_all) in count_tokens(records, schemas, tokenizer, max_length):
            if n_all > max_length:
                problem = length_problem(Path(tokenizer.name_or_path).name, n_prompt, n_all, max_length)
                found.append(problem.at(record.split, record.number, record.place))
    return found


def length_problem(name: str, n_prompt: int, n_all: int, max_length: int) -> Problem:
    """What is wrong with a row of ``n_all`` tokens, more than ``max_length``.

    Args:
        name: The tokenizer's.
        n_prompt: Tokens of the prompt.
        n_all: Tokens of prompt and completion.
        max_length: The limit.
    """
    if n_prompt >= max_length:
        reason = f"the prompt alone has {n_prompt:,} tokens ({name}), the limit is {max_length:,}: no label is left"
        return Problem("length", "error", reason, "shorten the question, remove the row, or raise max_length")
    reason = f"{n_all:,} tokens ({name}), the limit is {max_length:,}: the last {n_all - max_length:,} would be cut"
    return Problem(
        "length", "warning", f"{reason}, the end of the query with them", "raise max_length or remove the row"
    )


def count_tokens(
    records: Sequence[Record], schemas: Mapping[str, str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[tuple[Record, tuple[int, int]]]:
    """Tokens of the prompt and of prompt and completion, of each row that may be over ``max_length``.

    Raises:
        ModelError: As for ``find_too_long``.
    """
    frames = {db_id: _count_frame(tokenizer, schemas[db_id]) for db_id in {r.fields["db_id"] for r in records}}
    suspects = [record for record in records if _longest(record, frames) > max_length - SLACK]
    texts = {record.fields[name] for record in suspects for name in ("question", "query")}
    lengths = dict(zip(texts, _count_each(tokenizer, list(texts)), strict=True))
    counted = []
    for record in suspects:
        n_prompt = frames[record.fields["db_id"]][0] + lengths[record.fields["question"]]
        n_all = sum(frames[record.fields["db_id"]]) + sum(lengths[record.fields[k]] for k in ("question", "query"))
        if min(abs(n_prompt - max_length), abs(n_all - max_length)) <= SLACK:
            n_prompt, n_all = _count_exactly(tokenizer, record, schemas)
        counted.append((record, (n_prompt, n_all)))
    return counted


def _longest(record: Record, frames: Mapping[str, tuple[int, int]]) -> int:
    """No token is shorter than a byte."""
    n_bytes = sum(len(record.fields[name].encode("utf-8", "surrogatepass")) for name in ("question", "query"))
    return n_bytes + sum(frames[record.fields["db_id"]])


def _count_frame(tokenizer: "PreTrainedTokenizerBase", schema: str) -> tuple[int, int]:
    """Tokens around the question, and around the completion."""
    encoded = encode_example(tokenizer, to_messages(schema, "a"), "a")
    n_letter = _count_each(tokenizer, ["a"])[0]
    n_labels = sum(encoded.completion_mask)
    return len(encoded.input_ids) - n_labels - n_letter, n_labels - n_letter


def _count_each(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[int]:
    if not texts:
        return []
    # Without verbose=False it warns of the very lengths that we are here to report.
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]


def _count_exactly(tokenizer: "PreTrainedTokenizerBase", record: Record, schemas: Mapping[str, str]) -> tuple[int, int]:
    fields = record.fields
    encoded = encode_example(tokenizer, to_messages(schemas[fields["db_id"]], fields["question"]), fields["query"])
    return len(encoded.input_ids) - sum(encoded.completion_mask), len(encoded.input_ids)
