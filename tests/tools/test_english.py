"""The plurals that questions of the dataset and of the pretraining text are made with."""

import pytest

from tools.english import plural


@pytest.mark.parametrize(
    ("noun", "nouns"),
    [
        *(("city", "cities"), ("day", "days"), ("branch", "branches"), ("dish", "dishes"), ("box", "boxes")),
        *(("age", "ages"), ("song", "songs"), ("bus", "buses"), ("home team", "home teams")),
    ],
)
def test_the_regular_plural_of_the_last_word(noun: str, nouns: str) -> None:
    assert plural(noun) == nouns
