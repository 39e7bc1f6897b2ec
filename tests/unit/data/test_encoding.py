import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.encoding import CONFUSABLES, INVISIBLE, encoding_findings, plain_letters

HONEST = (
    "Which cafés in Zürich opened before 1990?",
    "Où sont les hôtels à 50 € près de l'Opéra ?",
    "Сколько магазинов в городе Лион?",
    "¿Cuántas «tiendas» hay — en São Paulo?",
    "東京の店はいくつありますか",
    "How many Ελληνικά restaurants at 20 °C ± 3 °C are there? 👩‍👩‍👧 می‌خواهم",
    "Tabs\tand\nline breaks are spaces. Which ÄÖÜ, ÃÕ or Â?",
    "Players of 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f and 🇫🇷?",
    "Haben „weiß“, «CAFÉ» und “ANDRÉ” … PERCHÉ… “Ünnep” oder „Straß“ Umlaute?",
    "O que é “IRMÃ”, «AMANHû ou ‘MÃE’? Il a dit « été », ¿«ñ»? „żółć” ‚č‘ “Ân” ĐẠI “Ê” »Straß«",
)
GARBLED = "Café Olé|Zürich|São Paulo|10 € – 20 €|naïve|Łódź|heißen|Müller|Kraków|Peña|Çankırı|année|Citroën|Jiří".split(
    "|"
)


@pytest.mark.parametrize("text", HONEST)
def test_other_languages_and_signs_are_no_trouble(text: str) -> None:
    assert encoding_findings(text, "question") == []


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("text", GARBLED)
def test_text_read_with_the_wrong_encoding_is_found_and_the_fix_is_right(text: str, encoding: str) -> None:
    garbled = text.encode("utf-8").decode(encoding, "ignore" if encoding == "cp1252" else "strict")
    if garbled.encode(encoding) != text.encode("utf-8"):
        pytest.skip("this letter has a byte that cp1252 does not have")
    (finding,) = encoding_findings(f"Who lives in {garbled}?", "question")
    assert (finding.check, finding.severity) == ("encoding", "error")
    assert next(word for word in text.split() if not word.isascii()) in finding.fix


@pytest.mark.parametrize("text", ["Wer heiÃŸt “Ana”?", "„heiÃŸen“", "Ã„rger in “Ã–sterreich”", "itâ€™s «cafÃ©»"])
def test_quotation_marks_hide_no_wrong_encoding(text: str) -> None:
    assert [finding.severity for finding in encoding_findings(text, "question")] == ["error"]


def test_only_the_encoding_is_repaired() -> None:
    assert encoding_findings("“curly” ﬁve ① ｆｕｌｌ Jose\u0301 &amp; naïve", "question") == []


@pytest.mark.parametrize(
    ("text", "severity", "evidence"),
    [
        ("How many\x00shops?", "error", "U+0000"),
        ("How\x1b[1m many", "error", "U+001B"),
        ("Caf\ufffd Paris", "error", "U+FFFD"),
        ("How ma\u200bny?", "warning", "zero width space"),
        ("\ufeffHow many?", "warning", "zero width no-break space"),
        ("shops \u202etxet", "warning", "right-to-left override"),
        ("shops \u202btxet", "warning", "right-to-left embedding"),
        ("shops \u2066text\u2069", "warning", "(left-to-right isolate, pop directional isolate)"),
        ("How ma\u2061ny?", "warning", "function application"),
        ("How many?\U000e0041\U000e0042", "warning", "(tag latin capital letter a, tag latin capital letter b)"),
        ("Black \U0001f3f4" + "".join(map(chr, range(0xE0061, 0xE0069))), "warning", "tag latin small letter a"),
        ("How many shоps?", "warning", "U+043E for o"),
        ("Αthens or Lyon?", "warning", "U+0391 for A"),
    ],
)
def test_characters_that_deceive_are_named(text: str, severity: str, evidence: str) -> None:
    (finding,) = encoding_findings(text, "question")
    assert finding.severity == severity
    assert evidence in finding.reason


def test_confusables_are_letters_of_the_scripts_that_they_claim() -> None:
    for other, latin in CONFUSABLES.items():
        assert unicodedata.name(other).split()[0] in ("CYRILLIC", "GREEK")
        assert latin.isascii()


def test_invisible_characters_are_stripped_and_joiners_stay() -> None:
    assert INVISIBLE.sub("", "\ufeffa\u200bb\U000e0041\u2066 می\u200cخواهم") == "ab می\u200cخواهم"
    assert all(INVISIBLE.sub("", text) == text for text in HONEST)


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_each_plain_letter_knows_its_place(text: str) -> None:
    plain, places = plain_letters(text)
    assert len(places) == len(plain) + 1
    assert list(places) == sorted(places)
    assert places[-1] == len(text)
    assert plain_letters(plain)[0] == plain
    assert len(plain.lower()) == len(plain)
