import sqlite3
from contextlib import closing

import pytest

from benchmarks.lucky_matches import Judged, _share, plot
from benchmarks.query_variants import mutants, rewrites

QUERIES = [
    "SELECT name FROM item WHERE id > 2 AND price BETWEEN 1 AND 3 ORDER BY price DESC, name LIMIT 2",
    "SELECT DISTINCT a.name FROM item a JOIN item b ON a.id = b.id WHERE a.name IN ('pen', 'ink') OR NOT b.id < 3",
    "SELECT name, COUNT(*) FROM item WHERE name LIKE '%e%' GROUP BY name, price HAVING COUNT(*) > 0",
    "SELECT name FROM item WHERE name = 'pen' UNION SELECT name FROM item WHERE id IS NOT NULL AND id <= 2",
]


@pytest.mark.parametrize("query", QUERIES)
def test_rewrites_say_the_same_and_mutants_do_not_say_it_again(query: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(
            """CREATE TABLE item (id integer primary key, name text, price real);
            INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', NULL), (3, 'pen', 1.5), (4, 'Pen', 3), (5, NULL, 2);"""
        )
        answer = sorted(connection.execute(query).fetchall(), key=str)
        same = rewrites(query)
        assert len({kind for kind, _ in same}) >= 3
        for kind, rewritten in same:
            assert sorted(connection.execute(rewritten).fetchall(), key=str) == answer, kind
    wrong = mutants(query, ["id", "name", "price"])
    assert len(wrong) > 8
    assert query not in [mutant for _, mutant in wrong]
    assert not {mutant for _, mutant in wrong} & {rewritten for _, rewritten in same}


def test_the_share_accepted_counts_what_passes_so_many_instances() -> None:
    wrong = [Judged("> for >=", "", "", n) for n in (0, 1, 3, 4, 10)]
    assert [_share(wrong, size) for size in (1, 4, 10)] == [0.8, 0.4, 0.2]


def test_the_plot_shows_the_kinds_that_one_instance_accepts() -> None:
    kinds = {"DISTINCT": {"n": 4, "1": 0.5, "4": 0.25, "10": 0.0}, "where dropped": {"n": 9, "1": 0, "4": 0, "10": 0}}
    axes = plot({"n_wrong": 13, "accepted": {"1": 0.15, "4": 0.08, "10": 0.0}, "accepted_by_kind": kinds})
    assert [label.get_text() for label in axes.get_yticklabels()] == ["DISTINCT (4)"]
    assert len(axes.patches) == 3
