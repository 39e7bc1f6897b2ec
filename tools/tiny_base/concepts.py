"""Words that people use for a column instead of its name: for ``price`` "how much is ..." or "the cheapest"."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Concept:
    """One line of ``concepts.txt``; ``{O}`` is a row's name, ``{T}`` are several rows and ``{V}`` is a value."""

    name: str
    others: tuple[str, ...]
    kind: str
    most: tuple[str, ...] = ()
    least: tuple[str, ...] = ()
    over: tuple[str, ...] = ()
    under: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()
    describes: tuple[str, ...] = ()


@cache
def concepts() -> tuple[Concept, ...]:
    """Every concept, in the order of the file."""
    lines = (Path(__file__).parent / "concepts.txt").read_text("utf-8").splitlines()
    return tuple(_read(line) for line in lines if not line.startswith("#"))


def _read(line: str) -> Concept:
    name, others, kind, *phrases = (cell.strip() for cell in line.split("|"))
    return Concept(name, _phrases(others), kind, *map(_phrases, phrases))


def _phrases(cell: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in cell.split(",") if phrase.strip())
