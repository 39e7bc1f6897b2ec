"""The query shapes of the pretraining text, which ``shapes.toml`` lists and explains."""

from dataclasses import dataclass
from typing import Any

from course_utils.files import read_toml


@dataclass(frozen=True)
class Shape:
    """One family of queries; ``weight`` is its relative frequency."""

    sql: str
    questions: tuple[str, ...]
    plan: str
    weight: float = 1.0


def _read(entry: dict[str, Any]) -> Shape:
    return Shape(**entry | {"questions": tuple(entry["questions"])})


SHAPES = tuple(map(_read, read_toml(__file__)["shape"]))
