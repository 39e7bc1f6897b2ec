import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.data.look_alikes import LOOK_ALIKES
from course_utils.data.validation.encoding import encoding_problems, strip_invisible, undo_mojibake

HONEST = (
    "Which cafés in Zürich opened before 1990?",
    "Où sont les hôtels à 50 € près de l'Opéra ?",
    "Ünnepnapok és Ősz: hány?",
    "Сколько магазинов в городе Лион?",
    "¿Cuántas «tiendas» hay — en São Paulo?",
    "東京の店はいくつありますか",
    "Is it 20 °C ± 3 °C or 5 µm²?",
    "How many Ελληνικά restaurants are there? 👩‍👩‍👧 می‌خواهم",
    "Tabs\tand\nline breaks are spaces.",
    "Which ÄÖÜ, ÃÕ or Â?",
)


@pytest.mark.parametrize("text", HONEST)
def test_other_languages_and_signs_are_no_trouble(text: str) -> None:
    assert encoding_problems(text, "question") == []


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", ["Café Olé", "Zürich", "l’Opéra", "São Paulo", "10 € – 20 €", "naïve", "Łódź"])
def test_text_read_with_the_wrong_encoding_is_found_and_the_fix_is_right(text: str, encoding: str) -> None:
    garbled = text.encode("utf-8").decode(encoding, "ignore" if encoding == "cp1252" else "strict")
    if garbled.encode(encoding) != text.encode("utf-8"):
        pytest.skip("this letter has a byte that cp1252 does not have")
    problem = encoding_problems(f"Who lives in {garbled}?", "question")[0]
    assert (problem.check, problem.severity) == ("encoding", "error")
    assert next(word for word in text.split() if not word.isascii()) in problem.fix


@given(st.text(st.characters(min_codepoint=0xC0, max_codepoint=0x24F, categories=["L"]), min_size=1, max_size=8))
def test_mojibake_of_any_accented_word_is_undone(word: str) -> None:
    assert undo_mojibake(word.encode("utf-8").decode("latin-1")) == word


@pytest.mark.parametrize(
    ("text", "severity", "evidence"),
    [
        ("How many\x00shops?", "error", "U+0000"),
        ("How\x1b[1m many", "error", "U+001B"),
        ("Caf\ufffd Paris", "error", "U+FFFD"),
        ("How ma\u200bny?", "warning", "zero-width space"),
        ("\ufeffHow many?", "warning", "byte order mark"),
        ("shops \u202etxet", "warning", "right-to-left override"),
        ("How many shоps?", "warning", "U+043E for o"),
        ("Αthens or Lyon?", "warning", "U+0391 for A"),
    ],
)
def test_characters_that_deceive_are_named(text: str, severity: str, evidence: str) -> None:
    problems = encoding_problems(text, "question")
    assert [problem.severity for problem in problems] == [severity]
    assert evidence in problems[0].reason


def test_look_alikes_are_letters_of_the_scripts_that_they_claim() -> None:
    for other, latin in LOOK_ALIKES.items():
        assert unicodedata.name(other).split()[0] in ("CYRILLIC", "GREEK")
        assert latin.isascii()


def test_invisible_characters_are_stripped_and_joiners_stay() -> None:
    assert strip_invisible("\ufeffa\u200bb می\u200cخواهم") == "ab می\u200cخواهم"
