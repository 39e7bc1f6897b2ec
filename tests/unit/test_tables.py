"""Tables as notebooks and terminals show them."""

import pandas as pd
from rich.console import Console

from course_utils.tables import Table, frame_table, text_table, value_table


def test_cells_are_escaped_and_words_stand_on_the_left() -> None:
    shown = Table("a < b", ("word", "n"), (("<b>", "1"),), frozenset({"word"}))._repr_html_()
    assert "a &lt; b" in shown
    assert "&lt;b&gt;" in shown
    assert shown.count("text-align:left") == 3  # the caption, a head, a cell
    assert shown.count("text-align:right") == 2


def test_a_terminal_shows_the_same_cells() -> None:
    console = Console(width=60, record=True, file=open("/dev/null", "w"))  # noqa: PTH123, SIM115
    console.print(text_table(("name", "what"), [("[red]", "stays :on:"), ("\x1b[2J\ud800", "two\nlines")], "caption"))
    text = console.export_text()
    assert r"\x1b[2J\xd800" in text
    assert r"\x0a" not in text
    assert "caption" in text
    assert "[red]" in text
    assert "stays :on:" in text


def test_values_are_shown_as_people_read_them() -> None:
    assert value_table({"n": 1234, "ok": True, "name": "x"}).rows == (("n", "1,234"), ("ok", "yes"), ("name", "x"))


def test_a_data_frames_words_and_numbers_are_told_apart() -> None:
    table = frame_table(pd.DataFrame({"question": ["Who?"], "right": [False], "chrf": [0.5]}))
    assert table.rows == (("Who?", "no", "0.5"),)
    assert table.text_columns == {"question", "right"}
