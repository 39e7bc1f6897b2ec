import string

import pytest

from course_utils.data.generate.shapes import SHAPES, Shape
from course_utils.data.hardness import hardness

IDENTIFIERS = {
    **{"op": ">", "cop": ">", "side": ">", "f": "AVG", "dir": "DESC"},
    **dict.fromkeys(("v", "w", "q", "r"), "'x'"),
    **dict.fromkeys(("k", "k2", "j", "size"), "3"),
    **{"part": "x", "p": "t.u_id = u.u_id", "t": "t", "u": "u"},
}


def test_names_are_unique_and_the_shares_make_sense() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= 20
    easy = [shape for shape in SHAPES if not shape.asks_hard]
    joins = sum(shape.weight for shape in easy if shape.name.startswith("join"))
    assert 0.05 < joins / sum(shape.weight for shape in easy) < 0.09


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_shape_has_four_wordings_and_keeps_its_promise_of_difficulty(shape: Shape) -> None:
    assert len(set(shape.questions)) >= 4
    slots = {slot for _, slot, _, _ in string.Formatter().parse(shape.query) if slot}
    query = shape.query.format(**{slot: IDENTIFIERS.get(slot, slot) for slot in slots})
    assert (hardness(query) in ("hard", "extra")) is shape.asks_hard
