"""Show rows as the model meets them: as tokens."""

import html
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from course_utils.data.tokens.pieces import token_bytes, visible
from course_utils.prompts import EncodedExample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Kind = Literal["prompt", "special", "completion"]
COLOURS: dict[Kind, str] = {"prompt": "#e8e8e8", "special": "#d9c7f0", "completion": "#b9e3c0"}
"""Light backgrounds under dark letters, set together: readable in a light and in a dark theme."""
SHOWN_TOKENS = 120
"""Of a longer stretch of one side, prompt or completion, only the head and the tail are shown."""
_TAIL = 40


@dataclass(frozen=True)
class Piece:
    """One token: its id, the bytes it stands for, its kind, and whether the loss counts it."""

    token_id: int
    raw: bytes
    kind: Kind
    has_label: bool


@dataclass(frozen=True)
class TokenView:
    """One row as tokens, in colours by kind; those with a label are underlined."""

    pieces: tuple[Piece, ...] = field(repr=False)

    @property
    def n_labels(self) -> int:
        """Tokens that the loss counts."""
        return sum(piece.has_label for piece in self.pieces)

    def _repr_html_(self) -> str:
        legend = " ".join(
            f'<span style="background:{colour};color:#111;padding:0 4px">{kind}</span>'
            for kind, colour in COLOURS.items()
        )
        counts = (
            f"{len(self.pieces)} tokens, {self.n_labels} of them with a label (underlined); point at one for its id"
        )
        sides = [list(side) for _, side in groupby(self.pieces, key=lambda piece: piece.has_label)]
        body = "".join(_side(side) for side in sides)
        style = "font-family:monospace;line-height:1.9;overflow-wrap:anywhere"
        return f'<p>{legend} &nbsp; {counts}</p><div style="{style}">{body}</div>'


def _side(pieces: list[Piece]) -> str:
    """Tokens that all have a label or all have none; the middle of a long stretch is left out."""
    if len(pieces) <= SHOWN_TOKENS:
        return _runs(pieces)
    n_left_out = len(pieces) - SHOWN_TOKENS
    note = f"<div><i>&#8942; {n_left_out} more tokens</i></div>"
    return _runs(pieces[: SHOWN_TOKENS - _TAIL]) + note + _runs(pieces[-_TAIL:])


def _runs(pieces: list[Piece]) -> str:
    # One coloured span for neighbours of a kind: with a style for each token, a page would be three times as long.
    return "".join(_run(kind, list(run)) for kind, run in groupby(pieces, key=lambda piece: piece.kind))


def _run(kind: Kind, pieces: list[Piece]) -> str:
    underline = ";border-bottom:3px solid #1b7f3b" if pieces[0].has_label else ""
    tokens = "".join(_token(piece) for piece in pieces)
    return f'<span style="background:{COLOURS[kind]};color:#111{underline}">{tokens}</span>'


def _token(piece: Piece) -> str:
    shown = html.escape(visible(piece.raw)) or "&#8203;"
    broken = "<br>" if piece.raw.endswith(b"\n") else "<wbr>"
    return f'<span title="{piece.token_id}" style="border-left:1px solid #999">{shown}</span>{broken}'


def token_view(tokenizer: "PreTrainedTokenizerBase", encoded: EncodedExample) -> TokenView:
    """The tokens of one row in colours: what is prompt, what is completion, and what is learned.

    Args:
        tokenizer: The one that encoded the row.
        encoded: As ``prompts.encode_example`` returns it.
    """
    special = {*tokenizer.all_special_ids, *(i for i, t in tokenizer.added_tokens_decoder.items() if t.special)}
    tokens = zip(encoded.input_ids, token_bytes(tokenizer, encoded.input_ids), encoded.completion_mask, strict=True)
    return TokenView(tuple(Piece(i, raw, _kind(i in special, mask), bool(mask)) for i, raw, mask in tokens))


def _kind(is_special: bool, mask: int) -> Kind:
    return "special" if is_special else "completion" if mask else "prompt"
