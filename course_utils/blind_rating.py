"""Pairs of answers for blind rating: who rates sees no names, and the sides are drawn by lot.

People, rules and models add to the same file of JSON lines. Notebook 4 and the web app show the pairs.
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
    """The question's, with its gold query; of the models it says nothing."""
    texts: tuple[str, str]
    models: tuple[str, str] = field(repr=False)
    """Whose they are: for the file, not for the rater."""

    def swapped(self) -> "BlindPair":
        """The same answers, the other one first."""
        return BlindPair(self.row, self.texts[::-1], self.models[::-1])


Rule = Callable[[BlindPair], str]
"""Gives one of ``CHOICES``."""


def draw_pairs(answers: Mapping[str, Sequence[Row]], rater: str) -> list[BlindPair]:
    """Every two different answers to a question, in an order and on sides that each rater has for their own.

    Args:
        answers: Predictions by the name of their model; all about the same rows in the same order.
        rater: Whose name seeds the lot, so that it falls the same when they go on later.

    Raises:
        DataError: They are about different rows.
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
    """Let a rule rate what the rater has not rated yet."""
    for pair in pairs_left(pairs, rater, file):
        add_rating(file, rater, pair, rule(pair))


def read_ratings(file: Path, pairs: Iterable[BlindPair]) -> list[Row]:
    """The ratings in a file that are about these answers, and not about those of a model that has changed since.

    Each has ``rater``, ``id``, ``models`` and ``texts`` in the order in which they were shown, and the ``winner``: one
    of the models, or ``TIE``.
    """
    wanted = {_key(pair.row["id"], pair.models, pair.texts) for pair in pairs}
    rated = read_jsonl(file) if file.exists() else []
    return [rating for rating in rated if _key(rating["id"], rating["models"], rating["texts"]) in wanted]


def _key(row_id: str, models: Sequence[str], texts: Sequence[str]) -> tuple[str, frozenset[tuple[str, str]]]:
    return row_id, frozenset(zip(models, texts, strict=True))


def pairs_left(pairs: Sequence[BlindPair], rater: str, file: Path) -> list[BlindPair]:
    """What a rater has not rated yet, in the order in which it is shown."""
    rated = [rating for rating in read_ratings(file, pairs) if rating["rater"] == rater]
    done = {_key(rating["id"], rating["models"], rating["texts"]) for rating in rated}
    return [pair for pair in pairs if _key(pair.row["id"], pair.models, pair.texts) not in done]


def add_rating(file: Path, rater: str, pair: BlindPair, choice: str, max_bytes: int | None = None) -> None:
    """Add to the file, which may have ``max_bytes``, what a rater chose, one of ``CHOICES``.

    Raises:
        DataError: The file is full.
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
