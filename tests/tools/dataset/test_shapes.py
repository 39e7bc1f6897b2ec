import string

import pytest

from tools.dataset.quotas import PLAIN, level
from tools.dataset.shapes import CONCEPTS, SHAPES, Shape

IDENTIFIERS = {
    **dict.fromkeys(("op", "cop", "side", "m_op", "mean_op", "ref_op"), "<="),
    **{"f": "MIN", "fx": "MAX", "m_f": "SUM", "avg": "AVG", "sum": "SUM", "e_f": "MAX", "dir": "ASC", "down": "DESC"},
    **dict.fromkeys(("v", "w", "v3", "q", "q2", "r", "otv", "hv", "hw"), "'Rome'"),
    **dict.fromkeys(("k", "k2", "m_k", "low_k", "high_k", "j", "few", "size", "ref_size", "mean_k"), "17"),
    **{"on": "left_table.some_id = right_table.other_id", "year": "2021", "month": "03", "day": "2021-03-04"},
}


def filled(shape: Shape) -> str:
    """The query with other names and values than the grammar itself uses to find its difficulty."""
    query = ""
    for text, slot, _, _ in string.Formatter().parse(shape.query):
        name = (slot or "").rpartition(".")[2]
        query += text + IDENTIFIERS.get(name, f"some_{name}" if name else "")
    return query


def test_there_are_many_shapes_of_every_concept() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES) >= 60
    assert {"linking", "nesting", "correlating", "combining", "dating", "missing", "deciding", "ranking"} <= set(
        CONCEPTS
    )
    assert all(len(shapes) >= 5 for shapes in CONCEPTS.values())


@pytest.mark.parametrize(
    ("words", "n"),
    [
        (("GROUP BY", "HAVING"), 4),
        ((" IN (SELECT",), 3),
        ((" NOT IN (SELECT",), 2),
        (("EXISTS(SELECT",), 3),
        (("NOT EXISTS(SELECT",), 1),
        (("UNION",), 2),
        (("INTERSECT",), 2),
        (("EXCEPT",), 2),
        (("STRFTIME('%Y'",), 3),
        (("STRFTIME('%m'",), 1),
        ((" IS NULL",), 4),
        (("IS NOT NULL",), 1),
        (("COALESCE(",), 1),
        (("LEFT JOIN",), 2),
        (("CASE WHEN",), 5),
        (("RANK() OVER (",), 3),
        (("ROW_NUMBER() OVER (PARTITION BY",), 2),
        (("LAG(",), 2),
        (("} ORDER BY {n} {dir}, {l}",), 2),
    ],
)
def test_the_grammar_covers_what_it_promises(words: tuple[str, ...], n: int) -> None:
    assert sum(all(word in shape.query for word in words) for shape in SHAPES) >= n


@pytest.mark.parametrize(("n_joins", "n"), [(1, 8), (2, 5), (3, 3)])
def test_queries_join_two_three_and_four_tables(n_joins: int, n: int) -> None:
    assert sum(shape.query.count(" JOIN ") == n_joins for shape in SHAPES) >= n


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_shape_has_five_wordings_and_one_difficulty(shape: Shape) -> None:
    from course_utils.sql.query_forms import hardness

    assert len(set(shape.questions)) >= 5
    assert hardness(filled(shape)) == level(shape)


def test_every_difficulty_has_shapes_and_plain_ones_are_not_hard() -> None:
    levels = [level(shape) for shape in SHAPES]
    assert all(levels.count(name) >= 10 for name in ("easy", "medium", "hard", "extra"))
    plain = [shape for shape in SHAPES if shape.name in PLAIN]
    assert len(plain) == len(PLAIN)
    assert {level(shape) for shape in plain} == {"easy", "medium"}
