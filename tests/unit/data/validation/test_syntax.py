import pytest

from course_utils.data.validation.syntax import constant_problem, pattern, read_syntax, syntax_problems


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT a FROM t WHERE b = 'it''s' AND c > 3.5", "SELECT a FROM t WHERE b = 'x' AND c > 1"),
        ("SELECT \"a 1\" FROM [t 2] WHERE `b 3` = ''", "SELECT \"a 1\" FROM [t 2] WHERE `b 3` = 'x'"),
        ("SELECT t1.a FROM t1 LIMIT 10", "SELECT t1.a FROM t1 LIMIT 1"),
        ("SELECT a -- 'not a string\nFROM t", "SELECT a -- 'not a string\nFROM t"),
    ],
)
def test_a_pattern_hides_values_and_keeps_names(query: str, expected: str) -> None:
    assert pattern(query) == expected


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1",
        "SELECT 'Lyon'",
        "SELECT NULL",
        "SELECT 2 + 3 AS five",
        "VALUES (1, 2)",
        "SELECT DATE('now')",
        "SELECT 'yes' FROM shop",
        "SELECT 1 FROM shop WHERE city = 'Lyon'",
    ],
)
def test_answers_that_need_no_data_are_constant(query: str) -> None:
    problem = constant_problem(read_syntax(query), query)
    assert problem is not None
    assert (problem.check, problem.severity) == ("constant-result", "warning")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT COUNT(*) FROM shop",
        "SELECT COUNT(1) FROM shop",
        "SELECT * FROM shop",
        "SELECT s.name, 1 FROM shop AS s",
        "SELECT (SELECT MAX(id) FROM shop)",
        "SELECT EXISTS (SELECT 1 FROM shop WHERE city = 'Lyon')",
        "SELECT ROW_NUMBER() OVER () FROM shop",
        "WITH a AS (SELECT name FROM shop) SELECT name FROM a",
        "SELECT name FROM shop UNION SELECT 'none'",
        "SELECT CASE WHEN COUNT(*) > 3 THEN 'many' ELSE 'few' END FROM shop",
    ],
)
def test_answers_from_the_tables_are_not_constant(query: str) -> None:
    assert constant_problem(read_syntax(query), query) is None


def test_a_query_that_neither_parses_is_an_error_and_one_that_sqlite_runs_is_a_note() -> None:
    broken = read_syntax("SELECT name FROM WHERE")
    assert [p.severity for p in syntax_problems(broken, 'near "WHERE": syntax error')] == ["error"]
    assert [p.severity for p in syntax_problems(broken, "")] == ["note"]
    assert syntax_problems(read_syntax("SELECT name FROM shop"), "no such column: name") == []


def test_a_fault_quotes_its_own_query_and_not_one_with_the_same_pattern() -> None:
    assert read_syntax("SELECT ((1").fault
    assert read_syntax("SELECT name FROM shop WHERE a = 'first' ORDER BY 1").ordered
    assert not read_syntax("SELECT name FROM (SELECT name FROM shop ORDER BY 1)").ordered
