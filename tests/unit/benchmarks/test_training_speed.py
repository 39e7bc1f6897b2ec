"""The benchmark of training compares like with like, and its notes say what was measured."""

from benchmarks.training import RUNS, _groups, to_markdown


def test_groups_are_of_one_database_and_have_schemas_of_their_own() -> None:
    rows = [{"id": str(n), "db_id": ("shop", "zoo")[n % 2], "question": "", "query": ""} for n in range(14)]
    grouped, schemas = _groups(rows, {"shop": "table item: id integer", "zoo": "table cage: id integer"}, 3, 4)
    assert len(grouped) == 12
    assert len(set(schemas.values())) == 4
    for group in range(4):
        of_group = [row for row in grouped if row["db_id"] == f"group {group}"]
        assert len({int(row["id"]) % 2 for row in of_group}) == 1
        assert len(of_group) == 3


def test_notes_have_a_line_for_every_gain() -> None:
    runs = {label: {"s_per_step": 8.0 / (n + 1), "validation_loss": 0.5} for n, label in enumerate(RUNS)}
    found = {"n_steps": 6, "runs": runs}
    notes = to_markdown({"machine": {"cpu": "a CPU", "n_cores": 2}, "profiles": {"laptop, 16 rows a step": found}})
    assert f"| {RUNS[0]} | 8.00 | 1.00 | 1.0 | 0.5000 |" in notes
    assert f"| {RUNS[1]} | 4.00 | 2.00 | 2.0 | 0.5000 |" in notes
    assert notes.count("| 0.5000 |") == len(RUNS)
