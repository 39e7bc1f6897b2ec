import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from course_utils.data.tokens.pieces import token_bytes, visible
from course_utils.models import load_tokenizer

TINY = load_tokenizer("data/tiny_base")


@given(st.text(max_size=40))
def test_the_bytes_of_all_tokens_are_the_text(text: str) -> None:
    ids = TINY(text, add_special_tokens=False).input_ids
    assert b"".join(token_bytes(TINY, ids)).decode() == TINY.decode(ids, clean_up_tokenization_spaces=False)


def test_an_emoji_over_four_tokens_is_shown_as_its_bytes() -> None:
    ids = TINY("\N{GRINNING FACE}", add_special_tokens=False).input_ids
    assert [visible(raw) for raw in token_bytes(TINY, ids)] == ["⟨F0⟩", "⟨9F⟩", "⟨98⟩", "⟨80⟩"]


def test_a_vocabulary_of_the_sentencepiece_kind_keeps_spaces_and_spells_bytes() -> None:
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
        ("\u200b".encode(), "⟨U+200B⟩"),
        (b"\xc3", "⟨C3⟩"),
        (b" \xf0\x9f\x98", "·⟨F0 9F 98⟩"),
        (b"\x80\n", "⟨80⟩↵"),
        ("é".encode(), "é"),
        ("\ufffd".encode(), "\ufffd"),
    ],
)
def test_what_cannot_be_seen_gets_a_sign(raw: bytes, shown: str) -> None:
    assert visible(raw) == shown
