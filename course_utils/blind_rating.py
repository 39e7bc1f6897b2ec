"""Pairs of answers for blind rating: the rater sees no model names, and the order of the two answers is random.

People, rules and judge models append to the same JSON-lines file. Notebook 4 and the web app show the pairs.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from random import Random

from course_utils.errors import DataError
from course_utils.files import Row, append_line, asked_in, read_jsonl, to_line

CHOICES = {"1": "the first is better", "2": "the second is better", "0": "both alike"}
TIE = "tie"


@dataclass(frozen=True)
class BlindPair:
    """Two answers to one question, in the order in which they are shown."""

    row: Row
    """``id``, ``db_id``, ``question`` and gold ``query``; nothing about the models."""
    texts: tuple[str, str]
    models: tuple[str, str] = field(repr=False)
    """The model of each text, which goes into the file and is hidden from the rater."""

    def swapped(self) -> "BlindPair":
        """The same pair with the other answer first."""
        return BlindPair(self.row, self.texts[::-1], self.models[::-1])


Rule = Callable[[BlindPair], str]
"""An automatic rater: returns a key of ``CHOICES`` for a pair."""


def draw_pairs(answers: Mapping[str, Sequence[Row]], rater: str) -> list[BlindPair]:
    """Pair up the models' answers to each question, without equal texts, in a random order for each rater.

    Args:
        answers: Each model's predictions, by its name; all of the same rows in the same order.
        rater: A name that seeds the random generator, so that a rater who returns gets the same order.

    Raises:
        DataError: The predictions are of different rows.
    """
    if len({tuple(map(asked_in, rows)) for rows in answers.values()}) > 1:
        raise DataError(f"{', '.join(answers)}: they answer different questions; let all of them answer the same")
    lot = Random(rater)
    pairs = []
    for rows in zip(*answers.values(), strict=True):
        question = {name: rows[0].get(name) for name in ("id", "db_id", "question", "query")}
        replies = zip(answers, (row["predicted"] for row in rows), strict=True)
        for two in combinations(replies, 2):
            (one, text), (other, other_text) = lot.sample(two, 2)
            if text != other_text:
                pairs.append(BlindPair(question, (text, other_text), (one, other)))
    lot.shuffle(pairs)
    return pairs


def rate_pairs(pairs: Sequence[BlindPair], rater: str, file: Path, rule: Rule) -> None:
    """Rate by ``rule`` all pairs that ``rater`` has not rated yet, and append the ratings to ``file``."""
    for pair in pairs_left(pairs, rater, file):
        add_rating(file, rater, pair, rule(pair))


def read_ratings(file: Path, pairs: Iterable[BlindPair]) -> list[Row]:
    """Read the ratings of these pairs; ratings of answers that have since changed are left out.

    Each rating has ``rater``, ``id``, ``models`` and ``texts`` in the order shown, and ``winner``: one of the models,
    or ``TIE``. A missing file has no ratings.
    """
    wanted = {_key(pair.row["id"], pair.models, pair.texts) for pair in pairs}
    rated = read_jsonl(file) if file.exists() else []
    return [rating for rating in rated if _key(rating["id"], rating["models"], rating["texts"]) in wanted]


def _key(row_id: str, models: Sequence[str], texts: Sequence[str]) -> tuple[str, frozenset[tuple[str, str]]]:
    return row_id, frozenset(zip(models, texts, strict=True))


def pairs_left(pairs: Sequence[BlindPair], rater: str, file: Path) -> list[BlindPair]:
    """The pairs that ``rater`` has not rated yet, in their given order."""
    rated = [rating for rating in read_ratings(file, pairs) if rating["rater"] == rater]
    done = {_key(rating["id"], rating["models"], rating["texts"]) for rating in rated}
    return [pair for pair in pairs if _key(pair.row["id"], pair.models, pair.texts) not in done]


def add_rating(file: Path, rater: str, pair: BlindPair, choice: str, max_bytes: int | None = None) -> None:
    """Append one rating to the file; ``choice`` is a key of ``CHOICES``.

    Raises:
        DataError: The file would become larger than ``max_bytes``; None sets no limit.
    """
    winner = {"1": pair.models[0], "2": pair.models[1], "0": TIE}[choice]
    rating = {"rater": rater, "id": pair.row["id"], "models": pair.models, "texts": pair.texts, "winner": winner}
    line = to_line(rating)
    with file.open("a+b") as ratings:
        if max_bytes is not None and ratings.tell() + len(line) > max_bytes:
            raise DataError(
                f"{file.name}: no room for more ratings; whoever runs this server has to move the file away"
            )
        append_line(ratings, line)
