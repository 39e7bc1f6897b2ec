"""The one way to render a table of results: as HTML in a notebook, as text in a terminal."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame
    from rich.table import Table as RichTable

_LEFT = ' style="text-align:left"'
_RIGHT = ' style="text-align:right"'
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Table:
    """Rows of text under a caption; every cell is escaped."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...] = field(repr=False)
    text_columns: frozenset[str] = field(default=frozenset(), repr=False)
    """Columns of words, aligned left; the others hold numbers."""

    def _repr_html_(self) -> str:
        styles = [_LEFT if name in self.text_columns else _RIGHT for name in self.columns]
        titles = zip(self.columns, styles, strict=True)
        head = "".join(f'<th scope="col"{style}>{escape(name)}</th>' for name, style in titles)
        body = "\n".join(
            "<tr>" + "".join(f"<td{s}>{escape(cell)}</td>" for cell, s in zip(row, styles, strict=True)) + "</tr>"
            for row in self.rows
        )
        caption = f'<caption style="text-align:left">{escape(self.caption)}</caption>' if self.caption else ""
        inside = f"{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>"
        return f'<table style="white-space:pre-wrap">{inside}</table>'

    def __rich__(self) -> "RichTable":
        """The same table for ``rich.console.Console.print``."""
        from rich.table import Table as RichTable
        from rich.text import Text

        def plain(text: str) -> Text:  # rich must not read markup or emoji codes such as :on: in it
            return Text(without_control(text, keep="\n\t"))

        table = RichTable(title=plain(self.caption) if self.caption else None, title_justify="left")
        for name in self.columns:
            table.add_column(plain(name), justify="left" if name in self.text_columns else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*map(plain, row))
        return table


def without_control(text: str, keep: str = "") -> str:
    """Escape control characters, which could steer a terminal, and lone surrogates; characters in ``keep`` stay."""
    return _CONTROL.sub(lambda found: found[0] if found[0] in keep else f"\\x{ord(found[0]):02x}", text)


def value_table(values: Mapping[str, Any], caption: str = "") -> Table:
    """A table of names and values: numbers with thousands separators, booleans as yes or no, other values as text."""
    rows = tuple((name, _show(value)) for name, value in values.items())
    has_text = any(isinstance(value, str | bool) for value in values.values())
    return Table(caption, ("what", "value"), rows, frozenset({"what", "value"} if has_text else {"what"}))


def _show(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> Table:
    """A table of words: every column aligned left."""
    return Table(caption, tuple(columns), tuple(map(tuple, rows)), frozenset(columns))


def frame_table(frame: "DataFrame", caption: str = "") -> Table:
    """A data frame without its index: text aligned left, numbers right; pandas would align both right."""
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    columns = tuple(map(str, frame.columns))
    is_text = [not is_numeric_dtype(kind) or is_bool_dtype(kind) for kind in frame.dtypes]
    rows = tuple(tuple(map(_show, row)) for row in frame.itertuples(index=False, name=None))
    return Table(caption, columns, rows, frozenset(name for name, text in zip(columns, is_text, strict=True) if text))
