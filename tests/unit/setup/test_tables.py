"""Tables that notebooks show hold their text as text."""

from course_utils.setup.tables import definition_table, html_table


def test_text_is_escaped_and_every_cell_is_there() -> None:
    two_columns = definition_table({"a<b": "x & y"})
    assert "a&lt;b" in two_columns
    assert "x &amp; y" in two_columns
    table = html_table(("h1", "h2"), [["1", "<2>"], ["3", "4"]])
    assert table.count("<tr>") == 3
    assert table.count("<td") == 4
    assert "&lt;2&gt;" in table
