import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from course_utils.data.tokens.display import token_bytes, token_view, visible
from course_utils.prompts import encode_example, to_messages

SCHEMA = "table shop: shop_id integer, name text"


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


def test_the_view_shows_every_token_once_with_its_id_and_underlines_the_labels(tokenizer: Any) -> None:
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List the <b>names</b>."), "SELECT name FROM shop")
    page = token_view(tokenizer, encoded)._repr_html_()
    assert "<b>" not in page
    assert f"{sum(encoded.completion_mask)} of them with a label" in page
    shown = Tokens(page).found
    assert [token for token, _, _ in shown] == encoded.input_ids
    assert [underlined for _, _, underlined in shown] == [bool(mask) for mask in encoded.completion_mask]
    labelled = "".join(text for _, text, underlined in shown if underlined)
    assert labelled == f"SELECT·name·FROM·shop{tokenizer.eos_token}"
    assert page.count("background:#d9c7f0") > 3  # the legend, and the template's tokens


def test_spaces_and_line_breaks_are_seen(tokenizer: Any) -> None:
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List\tnames."), "SELECT name\nFROM shop")
    texts = "".join(text for _, text, _ in Tokens(token_view(tokenizer, encoded)._repr_html_()).found)
    assert "SELECT·name↵FROM·shop" in texts
    assert "List⇥names." in texts


def test_letters_have_a_colour_wherever_the_background_has_one(tokenizer: Any) -> None:
    """JupyterLab's dark theme writes white letters unless told otherwise."""
    encoded = encode_example(tokenizer, to_messages(SCHEMA, "List names."), "SELECT name FROM shop")
    styles = re.findall(r'style="([^"]*background[^"]*)"', token_view(tokenizer, encoded)._repr_html_())
    assert styles
    assert all("color:#111" in style for style in styles)


def test_a_long_row_scrolls_and_takes_about_a_hundred_bytes_a_token(tokenizer: Any) -> None:
    encoded = encode_example(tokenizer, to_messages(SCHEMA * 200, "List names." * 300), "SELECT name FROM shop")
    page = token_view(tokenizer, encoded)._repr_html_()
    assert "overflow-y:auto" in page
    assert len(page) < 100 * len(encoded.input_ids)


@given(text=st.text(max_size=40))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_bytes_of_all_tokens_are_the_text(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False).input_ids
    assert b"".join(token_bytes(tokenizer, ids)).decode() == tokenizer.decode(ids, clean_up_tokenization_spaces=False)


def test_an_emoji_over_four_tokens_is_shown_as_its_bytes(tokenizer: Any) -> None:
    ids = tokenizer("\N{GRINNING FACE}", add_special_tokens=False).input_ids
    assert [visible(raw) for raw in token_bytes(tokenizer, ids)] == ["\\xf0", "\\x9f", "\\x98", "\\x80"]


def test_a_vocabulary_of_the_sentencepiece_kind_keeps_spaces_and_spells_bytes() -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"▁SELECT": 0, "▁é": 1, "<0xF0>": 2, "<0x9F>": 3, "<unk>": 4}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="<unk>")
    assert token_bytes(tokenizer, [0, 1, 2, 3]) == [b" SELECT", " é".encode(), b"\xf0", b"\x9f"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        (b" name", "·name"),
        (b"\n\t", "↵⇥"),
        ("\u200b".encode(), "\\u200b"),
        (b"\xc3", "\\xc3"),
        (b" \xf0\x9f\x98", "·\\xf0\\x9f\\x98"),
        (b"\x80\n", "\\x80↵"),
        ("é".encode(), "é"),
        ("\ufffd".encode(), "\ufffd"),
    ],
)
def test_what_cannot_be_seen_gets_a_sign(raw: bytes, shown: str) -> None:
    assert visible(raw) == shown
