import re
from html.parser import HTMLParser

import pytest

from course_utils.data.tokens.view import token_view
from course_utils.models import load_tokenizer
from course_utils.prompts import encode_example, to_messages

SCHEMA = "table shop: shop_id integer, name text"


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return load_tokenizer("data/tiny_base")


class Tokens(HTMLParser):
    """Reads a view as a browser would: the id and the shown text of each token, and whether it is underlined."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[int, str, bool]] = []
        self.open: list[dict[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "span":
            self.open.append({name: value or "" for name, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and "title" in self.open[-1]:
            underlined = any("border-bottom" in span.get("style", "") for span in self.open)
            self.found.append((int(self.open[-1]["title"]), data, underlined))


def test_the_view_shows_every_token_once_with_its_id_and_underlines_the_labels(tokenizer: object) -> None:
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List the <b>names</b>."), "SELECT name FROM shop")
    view = token_view(tokenizer, encoded)
    assert b"".join(piece.raw for piece in view.pieces).decode() == tokenizer.decode(encoded.input_ids)
    labelled = b"".join(piece.raw for piece in view.pieces if piece.has_label).decode()
    assert labelled == f"SELECT name FROM shop{tokenizer.eos_token}"
    assert view.n_labels == sum(encoded.completion_mask)
    assert view.pieces[-1].kind == "special"
    page = view._repr_html_()
    assert "<b>" not in page
    shown = Tokens(page).found
    assert [token for token, _, _ in shown] == encoded.input_ids
    assert [underlined for _, _, underlined in shown] == [bool(mask) for mask in encoded.completion_mask]


def test_spaces_and_line_breaks_are_seen(tokenizer: object) -> None:
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List\tnames."), "SELECT name\nFROM shop")
    texts = "".join(text for _, text, _ in Tokens(token_view(tokenizer, encoded)._repr_html_()).found)
    assert "SELECT·name↵FROM·shop" in texts
    assert "List⇥names." in texts


def test_letters_have_a_colour_wherever_the_background_has_one(tokenizer: object) -> None:
    """JupyterLab's dark theme writes white letters unless told otherwise."""
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List names."), "SELECT name FROM shop")
    styles = re.findall(r'style="([^"]*background[^"]*)"', token_view(tokenizer, encoded)._repr_html_())
    assert styles
    assert all("color:#111" in style for style in styles)


def test_a_long_prompt_is_folded_and_the_page_stays_small(tokenizer: object) -> None:
    query = "SELECT " + ", ".join(f"column_{i} \N{GRINNING FACE}" for i in range(200))
    encoded = encode_example(tokenizer, to_messages(SCHEMA * 200, "List \N{GRINNING FACE}" * 300), query)
    view = token_view(tokenizer, encoded)
    page = view._repr_html_()
    assert len(view.pieces) > 3000
    assert len(page.encode()) < 30_000
    shown = [token for token, _, _ in Tokens(page).found]
    n_left_out = sum(int(n) for n in re.findall(r"(\d+) more tokens", page))
    assert len(shown) + n_left_out == len(view.pieces)
    assert shown[:20] == encoded.input_ids[:20]
    assert shown[-20:] == encoded.input_ids[-20:]
