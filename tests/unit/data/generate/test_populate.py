import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.artifacts import PROJECT
from course_utils.data.generate.domains import Domain, read_domain, read_domains
from course_utils.data.generate.populate import literal, populate
from course_utils.errors import DataError
from course_utils.sql.databases import build_database

DATABASES = PROJECT / "data" / "databases"


@pytest.fixture(scope="module")
def football() -> Domain:
    return read_domain(DATABASES / "football" / "domain.toml")


def test_the_same_seed_gives_the_same_rows(football: Domain) -> None:
    assert populate(football, 3) == populate(football, 3)
    assert populate(football, 3) != populate(football, 4)


def test_a_new_column_leaves_the_others_alone(football: Domain) -> None:
    team = football.tables[0]
    more = replace(team.column("founded_year"), name="closed_year")
    grown = replace(football, tables=(replace(team, columns=(*team.columns, more)), *football.tables[1:]))
    assert [row[:-1] for row in populate(grown)["team"]] == populate(football)["team"]


def test_unique_columns_do_not_repeat_and_nulls_keep_to_their_share(football: Domain) -> None:
    for table in football.tables:
        for column, values in zip(table.columns, zip(*populate(football)[table.name], strict=True), strict=True):
            n_null = values.count(None)
            assert n_null / len(values) <= 3 * column.null_share
            if column.unique:
                assert len(set(values)) == len(values)


def test_too_few_different_values_are_reported(football: Domain) -> None:
    crowded = replace(football, tables=(replace(football.tables[0], rows=1000), *football.tables[1:]))
    with pytest.raises(DataError, match=r"column team\.name is unique but has fewer than 1000"):
        populate(crowded)


@pytest.mark.parametrize("domain", read_domains(DATABASES), ids=lambda domain: domain.db_id)
def test_the_databases_in_the_repository_are_sound(domain: Domain, tmp_path: Path) -> None:
    folder = DATABASES / domain.db_id
    assert (folder / "rows.sql").stat().st_size < 150_000
    connection = sqlite3.connect(build_database(folder, tmp_path / "built.sqlite"))
    try:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for table, rows in populate(domain).items():
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == rows
    finally:
        connection.close()


@pytest.mark.parametrize("value", ["O'Brien", None, 3, 2.5])
def test_sqlite_reads_a_literal_back(value: str | int | float | None) -> None:
    assert sqlite3.connect(":memory:").execute(f"SELECT {literal(value)}").fetchone() == (value,)
