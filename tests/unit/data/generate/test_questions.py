from random import Random

import pytest

from course_utils.artifacts import PROJECT
from course_utils.data.generate.domains import read_domains
from course_utils.data.generate.populate import populate
from course_utils.data.generate.questions import ask
from course_utils.data.generate.shapes import SHAPES, Shape
from course_utils.sql import find_database, run_query

DOMAINS = read_domains(PROJECT / "data" / "databases")


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_shape_can_be_asked_of_most_databases(shape: Shape) -> None:
    n_asked = 0
    for domain in DOMAINS:
        rows, rng = populate(domain), Random(1)
        n_asked += any(ask(domain, rows, rng, shape) for _ in range(20))
    assert n_asked >= 0.7 * len(DOMAINS)


def test_every_query_runs_and_its_values_are_in_the_question(tmp_path_factory: pytest.TempPathFactory) -> None:
    domain = next(domain for domain in DOMAINS if domain.db_id == "bookshop")
    database = find_database(PROJECT / "data", "bookshop", tmp_path_factory.mktemp("built"))
    rows, rng = populate(domain), Random(2)
    for shape in SHAPES:
        for _ in range(15):
            if (question := ask(domain, rows, rng, shape)) is None:
                continue
            run_query(database, question.query)
            said = question.question.lower()
            for value in question.query.split("'")[1::2]:
                assert value.strip("%").lower() in said
            assert "{" not in question.question + question.query
