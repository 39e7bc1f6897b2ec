import re
from random import Random

import pytest

from course_utils.files import PROJECT
from course_utils.sql import find_database, run_query
from tools.dataset.domains import read_domains
from tools.dataset.populate import populate
from tools.dataset.questions import ask, slots_of
from tools.dataset.shapes import SHAPES, Shape
from tools.dataset.world import World, make_world

PLACEHOLDERS = {"unknown", "yes", "no", "low", "middle", "high"}


@pytest.fixture(scope="module")
def worlds() -> list[World]:
    domains = read_domains(PROJECT / "data" / "databases")
    return [make_world(domain, populate(domain)) for domain in domains]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_every_shape_can_be_asked(shape: Shape, worlds: list[World]) -> None:
    """Only what needs a tree within a table, or a table far up, is rare."""
    n_asked = sum(any(ask(world, Random(seed), shape) for seed in range(150)) for world in worlds)
    is_rare = {"boss", "up3", "far2"} & set(slots_of(shape)) or {"e", "e_full"} & set(slots_of(shape)[""])
    assert n_asked >= (2 if is_rare else 0.3 * len(worlds))


def test_every_query_runs_and_its_values_are_in_the_question(
    worlds: list[World], tmp_path_factory: pytest.TempPathFactory
) -> None:
    world = next(world for world in worlds if world.domain.db_id == "transit")
    database = find_database(PROJECT / "data", "transit", tmp_path_factory.mktemp("built"))
    rng, n_asked = Random(2), 0
    for shape in SHAPES:
        for _ in range(12):
            if (question := ask(world, rng, shape)) is None:
                continue
            n_asked += 1
            run_query(database, question.query)
            said = question.question.lower()
            for value in re.sub(r"'%[Ym-]+%?m?'", "", question.query).split("'")[1::2]:
                parts = (value.strip("%"),) if not re.fullmatch(r"\d{4}-\d{2}", value) else (value[:4],)
                assert any(part.lower() in said for part in parts) or value in PLACEHOLDERS, question
    assert n_asked > 3 * len(SHAPES)


def test_a_related_table_is_named_by_what_refers_to_it(worlds: list[World]) -> None:
    world = next(world for world in worlds if world.domain.db_id == "transit")
    shape = next(shape for shape in SHAPES if shape.name == "self_pair")
    asked = [question for seed in range(60) if (question := ask(world, Random(seed), shape))]
    assert asked
    assert all("supervisor" in question.question for question in asked)
    assert all("T1.supervisor_id = T2.driver_id" in question.query for question in asked)
