import time

import pytest

from course_utils.data.privacy import profanity

PROFANE = (
    "fuck|FUCKING|f*ck|sh1t|b1tch|bullshit|assholes|dickheads|fuuuuck|f.u.c.k|s h i t|fück|wankers|whore|cunt".split(
        "|"
    )
)
DECENT = (
    "Scunthorpe|Essex|Middlesex|cockpit|cocktails|assess|assassins|classes|bass|Dick Whittington|Moby Dick|Hancock|"
    "Matsushita|great tits|Penistone|Lightwater|analysis|grape|therapist|Sussex|shiitake|peacock|woodcock|Titus|"
    "breast cancer|what is the sex of each patient|blue-footed booby|Niger|Nigeria|snigger|dummy|Willy Brandt|"
    "cumulative|circumstance|document|Fanny Price|homo sapiens|Viagra|stroke|Maine Coon|rape seed oil|hell|cumin|Uranus"
).split("|")


@pytest.mark.parametrize("word", PROFANE)
def test_profane_words_are_found_in_a_question(word: str) -> None:
    (problem,) = profanity.profanity_problems(f"Where is the {word} salary list?", "SELECT 1")
    assert problem.severity == "warning"
    assert word not in problem.reason


@pytest.mark.parametrize("text", DECENT)
def test_decent_words_stay(text: str) -> None:
    assert profanity.find_profanity(f"How many of {text} are there?") == []


def test_it_is_fast_and_says_where() -> None:
    rows = [{"question": f"How many shops does town {n} have?", "query": "SELECT 1"} for n in range(20_000)]
    rows[16] = {"question": "What the fuck is this?", "query": "SELECT 1"}
    began = time.perf_counter()
    (finding,) = profanity.check_profanity({"train": rows}, place=lambda split, number: f"{split}.jsonl:{number}")
    assert time.perf_counter() - began < 5
    assert (finding.number, finding.place, finding.check) == (17, "train.jsonl:17", "profanity")
