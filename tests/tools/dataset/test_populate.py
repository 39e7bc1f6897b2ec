import math
import sqlite3
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.files import PROJECT
from course_utils.sql.databases import build_database
from course_utils.sql.schema import read_schema
from tools.dataset.domains import ColumnSpec, Domain, read_domain, read_domains
from tools.dataset.populate import Value, literal, populate

DATABASES = PROJECT / "data" / "databases"
DOMAINS = read_domains(DATABASES)


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


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.db_id)
def test_what_a_domain_declares_is_in_its_rows(domain: Domain) -> None:
    rows = populate(domain)
    for table in domain.tables:
        for column, values in zip(table.columns, zip(*rows[table.name], strict=True), strict=True):
            there = [value for value in values if value is not None]
            share, n = column.null_share, len(values)
            if column.unique:
                assert len(set(there)) == len(there)
            if column.ties:
                assert there.count(max(there, key=float)) >= column.ties
            if not column.paths and column.table != table.name:
                assert abs(1 - len(there) / n - share) <= 3.5 * math.sqrt(share * (1 - share) / n)
            if column.kind == "reference" and column.table != table.name:
                _check_skew(column, Counter(there), len(rows[column.table]))


def _check_skew(column: ColumnSpec, n_children: Counter[Value], n_parents: int) -> None:
    """Parents without children as declared, and numbers of children that equal chances would not give."""
    from scipy.stats import chisquare

    n_childless = n_parents - len(n_children)
    assert n_childless >= round(column.childless * n_parents)
    if column.skew >= 1 and n_children.total() >= 100 and n_children.total() >= 2 * n_parents:
        assert chisquare([*n_children.values(), *[0] * n_childless]).pvalue < 0.001


def test_too_few_different_values_are_reported(football: Domain) -> None:
    crowded = replace(football, tables=(replace(football.tables[0], rows=1000), *football.tables[1:]))
    with pytest.raises(DataError, match=r"column team\.name is unique but has fewer than 1000"):
        populate(crowded)


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda domain: domain.db_id)
def test_the_databases_in_the_repository_are_sound(domain: Domain, tmp_path: Path) -> None:
    folder = DATABASES / domain.db_id
    connection = sqlite3.connect(build_database(folder, tmp_path / "built.sqlite"))
    try:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for table, rows in populate(domain).items():
            assert connection.execute(f"SELECT * FROM {table}").fetchall() == rows
    finally:
        connection.close()


def test_there_are_databases_of_every_role_and_size() -> None:
    assert Counter(domain.role for domain in DOMAINS) == {"train": 10, "written": 16, "validation": 2, "test": 4}
    n_tables = {role: [len(d.tables) for d in DOMAINS if d.role == role] for role in ("train", "validation", "test")}
    assert {len(domain.tables) for domain in DOMAINS} == set(range(3, 9))
    assert sum(n <= 4 for n in n_tables["train"]) >= 6
    assert min(n_tables["validation"]) <= 4
    assert max(n_tables["test"]) <= 4
    for domain in DOMAINS:
        assert 300 <= sum(table.rows for table in domain.tables) <= 4000
        assert any(column.kind == "reference" for table in domain.tables for column in table.columns)
        assert any(column.ties for table in domain.tables for column in table.columns)
        assert any(column.is_optional for table in domain.tables for column in table.columns)
    assert sum(path.stat().st_size for path in DATABASES.glob("*/rows.sql")) <= 2_500_000


def test_small_schemas_leave_room_in_the_tiny_model(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(PROJECT / "data" / "tiny_base" / "tokenizer.json"))
    for domain in DOMAINS:
        schema = read_schema(build_database(DATABASES / domain.db_id, tmp_path / f"{domain.db_id}.sqlite")).render()
        if len(domain.tables) <= 4:
            assert len(tokenizer.encode(schema).ids) < 330


@pytest.mark.parametrize(
    ("db_id", "query"),
    [
        (
            "airline",
            "SELECT * FROM airport GROUP BY substr(name, 1, instr(name, ' ')) HAVING COUNT(DISTINCT country) > 1",
        ),
        ("bank", "SELECT * FROM account WHERE closing_year <= opening_year"),
        ("bookshop", "SELECT * FROM book JOIN author USING (author_id) WHERE publication_year < birth_year + 24"),
        ("college", "SELECT * FROM enrollment WHERE (status = 'Passed') <> (grade IS NOT NULL)"),
        ("energy", "SELECT * FROM reading JOIN meter USING (meter_id) WHERE reading_date <= installation_date"),
        ("energy", "SELECT * FROM employee WHERE manager_id >= employee_id"),
        ("football", "SELECT * FROM team WHERE instr(name, city) <> 1"),
        ("hospital", "SELECT * FROM visit WHERE follow_up_date <= visit_date"),
        ("hotel", "SELECT * FROM booking WHERE price NOT BETWEEN 48 * nights AND 310 * nights"),
        ("library", "SELECT * FROM loan JOIN member USING (member_id) WHERE loan_date < join_date"),
        (
            "library",
            "SELECT * FROM loan WHERE (status = 'Returned') <> (return_date IS NOT NULL) OR return_date <= loan_date",
        ),
        (
            "museum",
            "SELECT * FROM painting JOIN artist USING (artist_id) WHERE year NOT BETWEEN birth_year AND death_year",
        ),
        ("restaurant", "SELECT * FROM dish WHERE name LIKE 'Cake%' AND course <> 'Dessert'"),
        ("shipping", "SELECT * FROM voyage JOIN ship USING (ship_id) WHERE type = 'Trawler' AND cargo <> 'Fish'"),
        ("transit", "SELECT line_id, stop_id FROM line_stop GROUP BY line_id, stop_id HAVING COUNT(*) > 1"),
        (
            "webshop",
            "SELECT * FROM shop_order WHERE shipping_date < order_date OR status = 'Open' AND shipping_date > ''",
        ),
        ("webshop", "SELECT * FROM order_line JOIN product USING (product_id) WHERE unit_price > price + 0.01"),
        ("zoo", "SELECT * FROM feeding JOIN animal USING (animal_id) WHERE species = 'Lion' AND food <> 'Meat'"),
        (
            "zoo",
            "SELECT * FROM animal WHERE species = 'Penguin' AND weight > 15 OR species = 'Giraffe' AND weight < 400",
        ),
    ],
)
def test_rows_make_sense(db_id: str, query: str, tmp_path: Path) -> None:
    """Each query finds nonsense, such as a loan from before its member joined."""
    connection = sqlite3.connect(build_database(DATABASES / db_id, tmp_path / "built.sqlite"))
    try:
        assert connection.execute(query).fetchall() == []
        everything = query.split(" WHERE ")[0].split(" GROUP ")[0]
        assert connection.execute(f"SELECT COUNT(*) > 9 FROM ({everything})").fetchone() == (1,)
    finally:
        connection.close()


@pytest.mark.parametrize("value", ["O'Brien", None, 3, 2.5])
def test_sqlite_reads_a_literal_back(value: str | int | float | None) -> None:
    assert sqlite3.connect(":memory:").execute(f"SELECT {literal(value)}").fetchone() == (value,)
