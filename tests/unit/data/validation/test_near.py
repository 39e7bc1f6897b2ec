import random

from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils.data.validation.near import MAX_GROUP, THRESHOLD, jaccard, similar_pairs

WORDS = (
    "list show find count name city year price player team store order film actor score total average highest lowest "
    "customers products which have been sold after before with more than every of the in and whose is not between"
).split()


def test_jaccard_of_runs_of_three() -> None:
    # {abc, bcd, cde} and {abc, bcd, cdf}: two in common of four.
    assert jaccard("abcde", "abcdf") == 0.5
    assert jaccard("abc", "abc") == 1
    assert jaccard("ab", "xy") == 0


@settings(max_examples=25)
@given(st.text(max_size=30), st.text(max_size=30))
def test_jaccard_is_symmetric_and_a_share(first: str, second: str) -> None:
    assert jaccard(first, second) == jaccard(second, first)
    assert 0 <= jaccard(first, second) <= jaccard(first, first) == 1


def edited(rng: random.Random, text: str) -> str:
    """The text with one or two small changes, as people make them."""
    for _ in range(rng.randint(1, 2)):
        i = rng.randrange(1, len(text) - 1)
        words = text.split()
        j = rng.randrange(len(words) - 1)
        swapped = " ".join([*words[:j], words[j + 1], words[j], *words[j + 2 :]])
        text = rng.choice([text[:i] + text[i + 1 :], f"{text[:i]}e{text[i:]}", f"please {text}", swapped])
    return text


def make_texts(n_texts: int) -> list[str]:
    """Texts of which a third are edits of earlier ones, at similarities on both sides of the threshold."""
    rng = random.Random(3)
    texts: list[str] = []
    for _ in range(n_texts):
        is_edit = texts and rng.random() < 0.35
        words = " ".join(rng.choices(WORDS, k=rng.randint(5, 16)))
        texts.append(edited(rng, rng.choice(texts)) if is_edit else words)
    return texts


def compare_all(texts: list[str], splits: list[str]) -> set[tuple[int, int]]:
    """The first earlier text of the same and of another split, by comparing every pair, with sets made afresh."""
    runs = [{text[i : i + 3] for i in range(len(text) - 2)} for text in texts]
    first: dict[tuple[int, bool], int] = {}
    for later in range(len(texts)):
        for earlier in range(later):
            alike = len(runs[later] & runs[earlier]) / len(runs[later] | runs[earlier]) >= THRESHOLD
            if alike and texts[later] != texts[earlier]:
                first.setdefault((later, splits[later] == splits[earlier]), earlier)
    return {(later, earlier) for (later, _), earlier in first.items()}


def test_a_group_has_the_pairs_that_comparing_all_finds() -> None:
    n_pairs = 0
    texts = make_texts(5 * MAX_GROUP)
    for start in range(0, len(texts), MAX_GROUP):
        group = texts[start : start + MAX_GROUP]
        splits = ["train"] * 150 + ["test"] * 50
        expected = compare_all(group, splits)
        assert {pair[:2] for pair in similar_pairs(group, splits)} == expected
        n_pairs += len(expected)
    assert n_pairs > 50


def test_a_large_group_has_nearly_all_of_them_and_no_other() -> None:
    texts = make_texts(3 * MAX_GROUP)
    expected = compare_all(texts, ["train"] * len(texts))
    found = {pair[:2] for pair in similar_pairs(texts, ["train"] * len(texts))}
    assert len(expected) > 100
    assert len({later for later, _ in found} & {later for later, _ in expected}) >= 0.97 * len(expected)
    assert {later for later, _ in found} <= {later for later, _ in expected}


def test_of_thousands_of_texts_that_are_alike_hardly_one_is_missed() -> None:
    texts = [f"show the names of the customers that have placed an order in the city number {i}" for i in range(3000)]
    assert len({later for later, _, _ in similar_pairs(texts, ["train"] * len(texts))}) >= 0.98 * len(texts)
