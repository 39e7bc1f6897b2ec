import pytest

from course_utils.data.privacy.detect import profanity_findings

PROFANE = "fuck|FUCKING|f*ck|sh1t|b1tch|bullshit|assholes|dickheads|fuuuuck|f.u.c.k|s h i t|fück|wankers|whore|cunt"
DECENT = (
    "Scunthorpe|Essex|Middlesex|cockpit|cocktails|assess|assassins|classes|bass|Dick Whittington|Moby Dick|Hancock|"
    "Matsushita|great tits|Penistone|Lightwater|analysis|grape|therapist|Sussex|shiitake|peacock|woodcock|Titus|"
    "breast cancer|what is the sex of each patient|blue-footed booby|Niger|Nigeria|snigger|dummy|Willy Brandt|"
    "cumulative|circumstance|document|Fanny Price|homo sapiens|Viagra|stroke|Maine Coon|rape seed oil|hell|cumin|Uranus"
)


@pytest.mark.parametrize("word", [*PROFANE.split("|"), "fuсk"])  # the last with a Cyrillic letter
def test_profane_words_are_found_in_a_question(word: str) -> None:
    (finding,) = profanity_findings(f"Where is the {word} salary list?", "question")
    assert (finding.check, finding.severity) == ("profanity", "warning")
    assert word not in finding.reason


def test_decent_words_stay() -> None:
    assert [
        text for text in DECENT.split("|") if profanity_findings(f"How many of {text} are there?", "question")
    ] == []
