import pytest

from course_utils.data.tokens.view import LengthReport, measure_lengths, token_view
from course_utils.models import load_tokenizer
from course_utils.prompts import encode_example, to_messages

SCHEMA = "table shop: shop_id integer, name text"


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return load_tokenizer("data/tiny_base")


def test_the_view_shows_every_token_once_and_underlines_the_labels(tokenizer: object) -> None:
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List the <b>names</b>."), "SELECT name FROM shop")
    view = token_view(tokenizer, encoded)
    assert "".join(text for text, _, _ in view.pieces) == tokenizer.decode(encoded.input_ids)
    labelled = "".join(text for text, _, has_label in view.pieces if has_label)
    assert labelled == f"SELECT name FROM shop{tokenizer.eos_token}"
    assert view.n_labels == sum(encoded.completion_mask)
    assert view.pieces[-1][1] == "special"
    page = view._repr_html_()
    assert page.count("border-bottom") == view.n_labels
    assert "<b>" not in page


def test_lengths_are_those_of_the_encoded_rows(tokenizer: object) -> None:
    row = {"db_id": "shop", "question": "List the names.", "query": "SELECT name FROM shop"}
    longer = {**row, "question": "List the names. " * 20}
    report = measure_lengths(tokenizer, {"train": [row, longer], "test": [row]}, {"shop": SCHEMA}, 100)
    expected = len(encode_example(tokenizer, to_messages(SCHEMA, row["question"]), row["query"]).input_ids)
    assert report.lengths["test"] == [expected] == report.lengths["train"][:1]
    assert report.n_cut == 1
    assert "<td>1</td></tr>" in report._repr_html_()


def test_a_row_as_long_as_the_limit_is_not_cut() -> None:
    assert LengthReport({"train": [99, 100, 101]}, 100).n_cut == 1
