"""How many tokens rows have, against the limit of a profile: training leaves longer rows out whole.

Cutting them instead would take the end: the query, and the token that teaches a model to stop.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record
from course_utils.figures import course_style, new_axes
from course_utils.finding import Finding
from course_utils.prompts import encode_example, render_chat, to_messages
from course_utils.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from transformers import PreTrainedTokenizerBase

_BATCH = 1_000
"""Texts that are tokenized at once; what a tokenizer returns takes some kilobytes a text."""


def count_tokens(tokenizer: "PreTrainedTokenizerBase", rows: Iterable[Row], schemas: Mapping[str, str]) -> list[int]:
    """Tokens of each row, prompt and completion together, as many as ``prompts.encode_example`` makes.

    Args:
        tokenizer: With a chat template.
        rows: With ``db_id``, ``question`` and ``query``.
        schemas: Rendered schema by ``db_id``.

    Raises:
        ModelError: The tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    encode_example(tokenizer, to_messages("", "a"), "a")  # raises where the template does not fit
    # Nothing merges across a special token. So the text from each one to the next is counted by itself, and equal
    # ones once: to encode whole rows would be to read a schema again for each question about it.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    boundary = re.compile(f"(?={'|'.join(map(re.escape, special))})")
    numbers: dict[str, int] = {}
    parts = [
        [numbers.setdefault(part, len(numbers)) for part in boundary.split(_text(tokenizer, row, schemas))]
        for row in rows
    ]
    lengths = _count_each(tokenizer, list(numbers))
    return [sum(lengths[number] for number in of_row) for of_row in parts]


def _text(tokenizer: "PreTrainedTokenizerBase", row: Row, schemas: Mapping[str, str]) -> str:
    """The chat up to its last end token; what stands behind that is not trained on."""
    reply = {"role": "assistant", "content": row["query"].strip()}
    messages = [*to_messages(schemas[row["db_id"]], row["question"]), reply]
    text = render_chat(tokenizer, messages, add_generation_prompt=False)
    return text[: text.rindex(tokenizer.eos_token) + len(tokenizer.eos_token)]


def _count_each(tokenizer: "PreTrainedTokenizerBase", texts: list[str]) -> list[int]:
    lengths: list[int] = []
    for start in range(0, len(texts), _BATCH):
        # Without verbose=False it warns of the very lengths that we are here to report.
        encoded = tokenizer(texts[start : start + _BATCH], add_special_tokens=False, verbose=False)
        lengths += map(len, encoded["input_ids"])
    return lengths


def find_too_long(
    records: Sequence[Record],
    schemas: Mapping[str, str],
    tokenizers: Iterable["PreTrainedTokenizerBase"],
    max_length: int,
) -> list[Finding]:
    """Rows of more tokens, prompt and completion together, than ``max_length``, for each tokenizer.

    Args:
        records: Rows with db_id, question and query.
        schemas: Rendered schema by ``db_id``.
        tokenizers: Each with a chat template.
        max_length: The profile's limit in tokens.

    Raises:
        ModelError: A tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    firsts: dict[str, Row] = {}
    for record in records:
        firsts.setdefault(record.fields["db_id"], record.fields)
    found = []
    for tokenizer in tokenizers:
        bases = dict(zip(firsts, count_tokens(tokenizer, firsts.values(), schemas), strict=True))
        # No token is shorter than a byte. A row whose bytes, put behind another row about the same database, stay
        # within the limit need not be counted: with limits that suit the data, that is nearly every row.
        suspects = [record for record in records if bases[record.fields["db_id"]] + _n_bytes(record) > max_length]
        lengths = count_tokens(tokenizer, [record.fields for record in suspects], schemas)
        found += [
            too_long(Path(tokenizer.name_or_path).name, n, max_length).at(record.split, record.number, record.place)
            for record, n in zip(suspects, lengths, strict=True)
            if n > max_length
        ]
    return found


def _n_bytes(record: Record) -> int:
    return sum(len(record.fields[name].encode("utf-8", "surrogatepass")) for name in ("question", "query"))


def too_long(tokenizer: str, n: int, max_length: int) -> Finding:
    """What is to be said of a row of ``n`` tokens, more than ``max_length``, under a tokenizer's name."""
    reason = f"{n:,} tokens ({tokenizer}), {n - max_length:,} over the limit: training leaves the row out whole"
    return Finding("length", "warning", reason, "shorten the row, remove it, or raise max_length")


@dataclass(frozen=True)
class LengthReport:
    """Tokens of every row by split, prompt and completion together, against the profile's limit."""

    lengths: dict[str, list[int]] = field(repr=False)
    max_length: int

    @property
    def n_rows(self) -> int:
        """Rows of all splits."""
        return sum(map(len, self.lengths.values()))

    @property
    def n_too_long(self) -> int:
        """Rows over the limit, of all splits."""
        return sum(map(self._count_too_long, self.lengths.values()))

    def _count_too_long(self, lengths: Iterable[int]) -> int:
        return sum(length > self.max_length for length in lengths)

    def _repr_html_(self) -> str:
        columns = ("split", "rows", "median", "95 %", "longest", "too long")
        rows = tuple(self._row(split, sorted(lengths)) for split, lengths in self.lengths.items())
        caption = f"Tokens a row; training leaves out rows of more than {self.max_length:,}."
        return Table(caption, columns, rows, frozenset({"split"}))._repr_html_()

    def _row(self, split: str, ranked: list[int]) -> tuple[str, ...]:
        if not ranked:
            return (split, "0", "", "", "", "0")
        numbers = (len(ranked), ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.95)], ranked[-1])
        return (split, *(f"{number:,}" for number in (*numbers, self._count_too_long(ranked))))


def measure_lengths(
    tokenizer: "PreTrainedTokenizerBase",
    splits: Mapping[str, Sequence[Row]],
    schemas: Mapping[str, str],
    max_length: int,
) -> LengthReport:
    """Count the tokens of every row as training would see it.

    Args:
        tokenizer: The base model's.
        splits: Rows by split, as ``Prepared.splits`` has them.
        schemas: Rendered schema by ``db_id``.
        max_length: The profile's limit in tokens.

    Raises:
        ModelError: The tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    return LengthReport({split: count_tokens(tokenizer, rows, schemas) for split, rows in splits.items()}, max_length)


@course_style
def plot_lengths(report: LengthReport) -> "Axes":
    """Histogram of tokens a row, by split; a line marks the limit if it is near."""
    n_rows, limit = report.n_rows, report.max_length
    longest = max((max(lengths, default=0) for lengths in report.lengths.values()), default=0)
    axes = new_axes(
        f"{report.n_too_long:,} of {n_rows:,} rows have more tokens than the limit of {limit:,}"
        if report.n_too_long
        else f"The longest of {n_rows:,} rows has {longest:,} tokens; the limit is {limit:,}"
    )
    bins = range(0, longest + 10, max(5, longest // 40))
    axes.hist(list(report.lengths.values()), bins=list(bins), stacked=True, label=list(report.lengths))
    for bars, hatch in zip(axes.containers, ("", "////", "....", "xxxx"), strict=False):
        for bar in bars:
            bar.set(hatch=hatch, edgecolor="white", linewidth=0.5)
    if limit < 2.5 * longest:
        axes.axvline(limit, color="black", linestyle="--", label=f"limit {limit:,}")
    axes.set(xlabel="tokens of prompt and completion", ylabel="rows")
    axes.legend()
    return axes
