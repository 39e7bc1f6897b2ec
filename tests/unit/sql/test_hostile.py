"""No statement of ``hostile`` outlives its limit, takes more than its share, changes a byte or leaves a file.

Limits of time have slack here, for tests share their cores; ``benchmarks.sql_workers`` holds the strict ones.
"""

from pathlib import Path

import pytest

from benchmarks.sql_attack import attack, fingerprint
from course_utils.deployment.query_checks import OUTCOMES, check_and_run
from course_utils.sql import run_query

from .hostile import HONEST, OTHERS, build_database, statements, writes
from .hostile_loads import LOADS

LIMIT_S = 0.2
SLACK_S = 5.0
MAX_MIB = 300
EVERY = 4
"""Of the statements that burn to their limit, one in so many runs here; the benchmark runs all."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_database(tmp_path_factory.mktemp("hostile") / "hostile.sqlite")


def test_the_statements_are_many_and_differ() -> None:
    assert len(statements()) == len({*statements().values()}) >= 400


@pytest.mark.parametrize("family", LOADS + OTHERS, ids=lambda family: family.__name__)
def test_a_statement_ends_and_leaves_nothing(family, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(database.parent)
    before = fingerprint(database.parent)
    chosen = statements((family,))
    if family in LOADS:
        chosen = dict([*chosen.items()][::EVERY])
    for done in attack(database, chosen, LIMIT_S):
        assert done.seconds <= LIMIT_S + SLACK_S, (done, chosen[done.name][:200])
        assert done.peak_mib <= MAX_MIB, (done, chosen[done.name][:200])
        assert not done.spilled, (done, chosen[done.name][:200])
    assert fingerprint(database.parent) == before


def test_nothing_that_writes_gives_rows(database: Path) -> None:
    written = statements((writes,))
    rows = [written[done.name] for done in attack(database, written, LIMIT_S) if done.outcome == "rows"]
    assert all(statement.startswith(("EXPLAIN", "SELECT")) for statement in rows), rows


@pytest.mark.parametrize("family", OTHERS, ids=lambda family: family.__name__)
def test_the_gateway_has_an_outcome_for_each(family, database: Path) -> None:
    for statement in family():
        assert check_and_run(database, statement, timeout_s=LIMIT_S, max_rows=10).outcome in OUTCOMES


@pytest.mark.parametrize("query", HONEST)
def test_harmless_neighbours_run(query: str, database: Path) -> None:
    assert run_query(database, query).columns
    assert check_and_run(database, query, timeout_s=5, max_rows=10).outcome == "executed"
