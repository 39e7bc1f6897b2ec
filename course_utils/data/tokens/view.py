"""Show and measure rows as the model meets them: as tokens."""

import html
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from course_utils.prompts import EncodedExample, encode_example, to_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]
COLOURS = {"prompt": "#e8e8e8", "special": "#d9c7f0", "completion": "#b9e3c0"}


@dataclass(frozen=True)
class TokenView:
    """One row as pieces of text with their kind (prompt, special, completion) and whether they have a label."""

    pieces: tuple[tuple[str, str, bool], ...] = field(repr=False)

    @property
    def n_labels(self) -> int:
        """Tokens that the loss counts."""
        return sum(has_label for _, _, has_label in self.pieces)

    def _repr_html_(self) -> str:
        spans = "".join(_span(*piece) for piece in self.pieces)
        legend = " ".join(
            f'<span style="background:{colour};color:#111">{kind}</span>' for kind, colour in COLOURS.items()
        )
        counts = f"{len(self.pieces)} tokens, {self.n_labels} of them with a label (underlined)"
        return f'<p>{legend} &nbsp; {counts}</p><div style="font-family:monospace;line-height:1.9">{spans}</div>'


def _span(text: str, kind: str, has_label: bool) -> str:
    shown = html.escape(text).replace(" ", "&middot;").replace("\n", "&crarr;<br>")
    underline = "border-bottom:3px solid #1b7f3b;" if has_label else ""
    style = f"background:{COLOURS[kind]};color:#111;{underline}margin-right:1px"
    return f'<span style="{style}">{shown}</span><wbr>'


def token_view(tokenizer: "PreTrainedTokenizerBase", encoded: EncodedExample) -> TokenView:
    """The tokens of one row in colours: what is prompt, what is completion, and what is learned.

    Args:
        tokenizer: The one that encoded the row.
        encoded: As ``prompts.encode_example`` returns it.
    """
    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    pieces = []
    for token, mask in zip(encoded.input_ids, encoded.completion_mask, strict=True):
        kind = "special" if token in special else "completion" if mask else "prompt"
        pieces.append((tokenizer.decode([token]), kind, bool(mask)))
    return TokenView(tuple(pieces))


@dataclass(frozen=True)
class LengthReport:
    """Tokens of every row by split, prompt and completion together, against the profile's limit."""

    lengths: dict[str, list[int]] = field(repr=False)
    max_length: int

    @property
    def n_cut(self) -> int:
        """Rows that training would cut; what is cut is the end, the very part with labels."""
        return sum(length > self.max_length for lengths in self.lengths.values() for length in lengths)

    def _repr_html_(self) -> str:
        head = "<tr><th></th><th>rows</th><th>median</th><th>95 %</th><th>longest</th><th>cut</th></tr>"
        lines = []
        for split, lengths in self.lengths.items():
            ranked = sorted(lengths)
            middle, high = ranked[len(ranked) // 2], ranked[int(len(ranked) * 0.95)]
            n_cut = sum(length > self.max_length for length in lengths)
            cells = "".join(f"<td>{n}</td>" for n in (len(ranked), middle, high, ranked[-1], n_cut))
            lines.append(f"<tr><th>{split}</th>{cells}</tr>")
        note = f"Tokens a row; the profile keeps {self.max_length}."
        return f"<table><thead>{head}</thead><tbody>{''.join(lines)}</tbody></table><p>{note}</p>"


def measure_lengths(
    tokenizer: "PreTrainedTokenizerBase", splits: dict[str, list[Row]], schemas: dict[str, str], max_length: int
) -> LengthReport:
    """Count the tokens of every row as training would see it.

    Args:
        tokenizer: The base model's.
        splits: Rows by split, none empty, as ``Prepared.splits`` has them.
        schemas: Rendered schema by ``db_id``.
        max_length: The profile's limit in tokens.

    Raises:
        ModelError: The tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    lengths = {
        split: [len(_encode(tokenizer, row, schemas[row["db_id"]]).input_ids) for row in rows]
        for split, rows in splits.items()
    }
    return LengthReport(lengths, max_length)


def _encode(tokenizer: "PreTrainedTokenizerBase", row: Row, schema: str) -> EncodedExample:
    return encode_example(tokenizer, to_messages(schema, row["question"]), row["query"])
