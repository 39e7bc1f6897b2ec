"""Invented and English words for the pretraining text.

Most names are built from random syllables. From a closed list of names, a small model would learn to recite the list.
With names that never repeat it can only be right by copying from the schema, which is the skill that questions about an
unseen database need.
"""

from functools import cache
from pathlib import Path
from random import Random

SIMPLE_ONSETS = "b c d f g h j k l m n p r s t v w y z".split()
CLUSTERS = "bl br ch cl cr dr fl fr gl gr pl pr qu sc sh sk sl sm sn sp st str sw th tr tw wh".split()
VOWELS = "a e i o u a e i o u a e i o u ai ea ee io oo ou y".split()
CODAS = "n r l s t m d n r l s t k ck ll nd nt ng rt st x ss".split()
ENDINGS = "er or ion ity ment al ing ness ship age ist ure ance ery ware code tion ian".split()


@cache
def english_words() -> tuple[str, ...]:
    """The words of ``english.txt``: common nouns, adjectives and proper names."""
    return tuple(sorted(set((Path(__file__).parent / "english.txt").read_text("utf-8").split())))


def invented_word(rng: Random) -> str:
    """One to three random syllables, at times with an English ending: ``trovel``, ``misker``."""
    n_syllables = rng.choices((1, 2, 3), (3, 6, 1))[0]
    stem = "".join(_syllable(rng) for _ in range(n_syllables))
    return stem + rng.choice(ENDINGS) if rng.random() < 0.15 or len(stem) < 3 else stem


def _syllable(rng: Random) -> str:
    onset = rng.choice(CLUSTERS if rng.random() < 0.25 else SIMPLE_ONSETS)
    coda = rng.choice(CODAS) if rng.random() < 0.35 else ""
    return onset + rng.choice(VOWELS) + coda


def word(rng: Random, invented_share: float = 0.6) -> str:
    """A lower-case word: invented with the given probability, else English."""
    if rng.random() < invented_share:
        return invented_word(rng)
    return rng.choice(english_words()).lower()


def proper_word(rng: Random) -> str:
    """A word as a cell of a table would hold it, mostly capitalised."""
    text = invented_word(rng) if rng.random() < 0.6 else rng.choice(english_words())
    return text if rng.random() < 0.15 else text[:1].upper() + text[1:]
