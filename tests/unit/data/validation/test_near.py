import random
from collections.abc import Sequence

import numpy as np
import pytest
from scipy.sparse import csr_array

from course_utils.data.validation.minhash import band_keys, choose_bands
from course_utils.data.validation.near import N_LEADERS, SMALL_BUCKET, bucket_pairs, candidates, near_pairs, near_texts
from course_utils.data.validation.signature import Signature, row_signature

WORDS = (
    "list show find count name city year price player team store order film actor score total average highest lowest "
    "customers products which have been sold after before with more than every of the in and whose is not between"
).split()


def edited(rng: random.Random, text: str) -> str:
    """The text with one or two small changes, as people make them."""
    for _ in range(rng.randint(1, 2)):
        i = rng.randrange(1, len(text) - 1)
        words = text.split()
        j = rng.randrange(len(words) - 1)
        text = rng.choice(
            [
                text[:i] + text[i + 1 :],
                text[:i] + rng.choice("aeinst") + text[i:],
                "please " + text,
                text + " thanks",
                " ".join([*words[:j], words[j + 1], words[j], *words[j + 2 :]]),
            ]
        )
    return text


def many_texts(n_rows: int, n_blocks: int) -> tuple[list[str], list[str]]:
    """Texts of which a third are edits of earlier ones, at similarities on both sides of the threshold."""
    rng = random.Random(3)
    texts: list[str] = []
    blocks: list[str] = []
    for _ in range(n_rows):
        if texts and rng.random() < 0.35:
            source = rng.randrange(len(texts))
            text, block = edited(rng, texts[source]), blocks[source]
        else:
            text, block = " ".join(rng.choices(WORDS, k=rng.randint(5, 16))), f"db{rng.randrange(n_blocks)}"
        texts.append(text)
        blocks.append(block)
    return texts, blocks


def brute_force(texts: Sequence[str], blocks: Sequence[str], threshold: float) -> set[tuple[int, int]]:
    """All pairs of one block at the threshold, by a product of sparse matrices."""
    found: set[tuple[int, int]] = set()
    for block in set(blocks):
        members = [place for place, name in enumerate(blocks) if name == block]
        runs: dict[str, int] = {}
        entries = {
            (row, runs.setdefault(texts[place][i : i + 3], len(runs)))
            for row, place in enumerate(members)
            for i in range(len(texts[place]) - 2)
        }
        rows, columns = np.array(sorted(entries)).T
        has = csr_array((np.ones(len(rows)), (rows, columns)), shape=(len(members), len(runs)))
        common = (has @ has.T).toarray()
        sizes = has.sum(axis=1)
        similarity = common / (sizes[:, None] + sizes[None, :] - common)
        later, earlier = np.nonzero(np.tril(similarity >= threshold, k=-1))
        pairs = ((members[i], members[j]) for i, j in zip(later, earlier, strict=True))
        found |= {(i, j) for i, j in pairs if texts[i] != texts[j]}
    return found


@pytest.mark.parametrize("threshold", [0.7, 0.8])
def test_recall_and_precision_against_brute_force(threshold: float) -> None:
    texts, blocks = many_texts(5000, n_blocks=16)
    truth = brute_force(texts, blocks, threshold)
    found = {(later, earlier) for later, earlier, _ in near_texts(texts, blocks, threshold)}
    assert len(truth) > 500
    assert len(found & truth) / len(truth) >= 0.97
    assert found <= truth  # precision 1, since every pair is compared exactly


def pairs_of(sizes: list[int]) -> list[tuple[int, int]]:
    keys = np.repeat(np.arange(len(sizes)), sizes)
    later, earlier = bucket_pairs(keys, np.arange(len(keys)))
    pairs = list(zip(later.tolist(), earlier.tolist(), strict=True))
    assert len(pairs) == len(set(pairs))
    assert all(i > j and keys[i] == keys[j] for i, j in pairs)
    return pairs


def test_small_buckets_give_all_their_pairs() -> None:
    sizes = [1, 2, 3, 1, SMALL_BUCKET, 1]
    assert len(pairs_of(sizes)) == sum(n * (n - 1) // 2 for n in sizes)


@pytest.mark.parametrize("n", [SMALL_BUCKET + 1, 5000])
def test_large_buckets_give_few_pairs_and_leave_no_row_out(n: int) -> None:
    pairs = pairs_of([3, n, 1, n])
    assert len(pairs) <= 2 * n * (N_LEADERS + 1) + 3
    assert {later for later, _ in pairs} == set(range(2 * n + 4)) - {0, 3, n + 3, n + 4}
    assert (n + 2, 3) in pairs  # the first of its bucket
    assert (n + 2, n + 1) in pairs  # its predecessor


def test_thousands_of_rows_that_are_alike_take_linear_work() -> None:
    texts = [
        f"show the names of the customers that have placed more than one order in the city of lyon {i}"
        for i in range(6_000)
    ]
    keys = band_keys(texts, [""] * len(texts), 0.8)
    assert len(candidates(keys)) <= len(texts) * (N_LEADERS + 1) * choose_bands(0.8)[0]
    pairs = near_texts(texts, [""] * len(texts), 0.8)
    assert {later for later, _, _ in pairs} == set(range(1, len(texts)))


def rows_of(*rows: tuple[str, str, str, str]) -> list[Signature]:
    return [
        row_signature({"db_id": db_id, "question": question, "query": query}, split, number, f"{split}:{number}")
        for number, (split, db_id, question, query) in enumerate(rows, 1)
    ]


Q = "How many shops are there in the city of Lyon?"
NEAR = "How many shops are their in the city of Lyon?"


def test_only_rows_about_one_database_with_one_query_are_pairs() -> None:
    rows = rows_of(
        ("train", "shop", Q, "SELECT 1"),
        ("train", "shop", NEAR, "select 1;"),
        ("train", "bank", NEAR, "SELECT 1"),
        ("train", "shop", NEAR, "SELECT 2"),
        ("train", "shop", Q, "SELECT 1"),
    )
    assert [(pair.later.number, pair.earlier.number) for pair in near_pairs(rows)] == [(2, 1)]


def test_the_later_row_is_the_one_of_the_later_split() -> None:
    rows = rows_of(("test", "shop", Q, "SELECT 1"), ("train", "shop", NEAR, "SELECT 1"))
    (pair,) = near_pairs(rows)
    assert (pair.later.split, pair.earlier.split) == ("test", "train")


def test_empty_questions_and_no_rows_have_no_pairs() -> None:
    assert near_pairs([]) == []
    assert near_pairs(rows_of(("train", "shop", "", ""), ("train", "shop", "?", ""))) == []
