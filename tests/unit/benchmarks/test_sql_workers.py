import json
from pathlib import Path

from benchmarks import in_process_sql
from benchmarks.sql_cost import make_jobs
from benchmarks.sql_workers import plot
from course_utils.sql import compare_answers, run_queries, run_query


def test_the_baseline_gives_the_answers_of_the_workers(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path)
    assert sum(len(rows) for _, rows in jobs) == 240
    database, rows = jobs[0]
    queries = [row["query"] for row in rows[:5]]
    here, there = in_process_sql.run_queries(database, queries), list(run_queries(database, queries))
    assert [result.rows for result in here] == [result.rows for result in there]
    assert in_process_sql.run_query(database, queries[0]).rows == run_query(database, queries[0]).rows
    for row in rows[:5]:
        verdict = compare_answers(database, row["query"], row["predicted"])
        assert in_process_sql.judge(database, row["query"], row["predicted"]) == verdict.correct


def test_the_plot_shows_every_statement_and_both_targets() -> None:
    result = json.loads("""{"attack": {"n_statements": 2, "limit_s": 1, "seconds": [0.1, 1.2], "mib": [30, 200]},
        "cost": {"judge other queries": {"cpu_ratio": 0.9}}}""")
    axes = plot(result)
    assert [len(line.get_xdata()) for line in axes.get_lines()] == [2, 2, 2]
