import os
import random
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from course_utils.data.validation.minhash import N_HASHES, RECALL, band_keys, choose_bands, jaccard
from course_utils.errors import ConfigurationError

TEXTS = [
    "how many shops are there",
    "list the names",
    "ab",
    "",
    "größe über 3 €",
    "店の数はいくつですか",
    "a\U0001f600b",
]


def test_jaccard_of_runs_of_three() -> None:
    # {abc, bcd, cde} and {abc, bcd, cdf}: two in common of four.
    assert jaccard("abcde", "abcdf") == 0.5
    assert jaccard("abc", "abc") == 1
    assert jaccard("ab", "xy") == 0


@given(st.text(max_size=30), st.text(max_size=30))
def test_jaccard_is_symmetric_and_a_share(first: str, second: str) -> None:
    assert jaccard(first, second) == jaccard(second, first)
    assert 0 <= jaccard(first, second) <= jaccard(first, first) == 1


@pytest.mark.parametrize("threshold", [0.2, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0])
def test_bands_find_pairs_at_the_threshold(threshold: float) -> None:
    n_bands, n_rows = choose_bands(threshold)
    assert n_bands * n_rows <= N_HASHES
    assert 1 - (1 - threshold**n_rows) ** n_bands >= RECALL


def test_higher_thresholds_take_longer_bands() -> None:
    assert choose_bands(0.95)[1] > choose_bands(0.8)[1] > choose_bands(0.4)[1]


@pytest.mark.parametrize("threshold", [-1, 0, 0.1, 1.01, 80, float("nan")])
def test_what_is_no_similarity_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match="threshold"):
        choose_bands(threshold)


def test_pairs_meet_as_often_as_the_equation_says() -> None:
    rng = random.Random(1)
    pairs = []
    while len(pairs) < 2000:
        text = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz ", k=60))
        i = rng.randrange(60)
        changed = text[:i] + rng.choice("0123456789") + text[i + 1 :]
        j = rng.randrange(60)
        pairs.append((text, changed[:j] + "#" + changed[j:]))
    texts = [text for pair in pairs for text in pair]
    keys = band_keys(texts, [""] * len(texts), 0.9)
    n_bands, n_rows = choose_bands(0.9)
    met = np.mean((keys[::2] == keys[1::2]).any(axis=1))
    expected = np.mean([1 - (1 - jaccard(*pair) ** n_rows) ** n_bands for pair in pairs])
    assert 0.3 < expected < 0.98  # else the test shows nothing
    assert met == pytest.approx(expected, abs=0.05)


def test_keys_do_not_depend_on_the_other_texts() -> None:
    together = band_keys(TEXTS, ["x"] * len(TEXTS), 0.8)
    alone = [band_keys([text], ["x"], 0.8)[0] for text in TEXTS]
    assert together.tolist() == [keys.tolist() for keys in alone]
    assert len({tuple(keys) for keys in together.tolist()}) == len(TEXTS)


def test_blocks_have_different_keys() -> None:
    keys = band_keys(["the same text"] * 3, ["shop", "shop", "bank"], 0.8)
    assert (keys[0] == keys[1]).all()
    assert not (keys[0] == keys[2]).any()


def test_no_texts_have_no_keys() -> None:
    assert band_keys([], [], 0.8).shape == (0, choose_bands(0.8)[0])


def test_keys_are_the_same_in_every_process() -> None:
    """Workers and Spark's executors hash strings with seeds of their own."""
    script = (
        "from course_utils.data.validation.minhash import band_keys; print(band_keys(['a text'], ['b'], .8).tolist())"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {f"{band_keys(['a text'], ['b'], 0.8).tolist()}\n"}
