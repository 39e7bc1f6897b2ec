"""Small HTML tables for results that show themselves in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape


def definition_table(values: Mapping[str, str]) -> str:
    """Two columns: what, and its value."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in values.items()
    )
    return f"<table>{rows}</table>"


def html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A header line and rows of text."""
    head = "".join(f'<th style="text-align:left">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
