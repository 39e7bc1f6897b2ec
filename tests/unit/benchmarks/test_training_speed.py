"""The benchmark of training compares like with like, and its notes say what was measured."""

from typing import Any

from benchmarks.training import MEMORY, OURS, STOCK, to_markdown
from benchmarks.training_runs import gains, rows_of
from course_utils.files import PROJECT, read_json
from course_utils.profiles import PROFILES
from course_utils.prompts import EncodedExample
from course_utils.training.shared_prompts import share_prompts


def test_stock_reads_the_rows_of_the_shared_batches() -> None:
    rows = [
        EncodedExample([database, 2, 3, n, 4, n], [0, 0, 0, 0, 0, 1], str(database))
        for database in (100, 200)
        for n in range(10, 17)
    ]
    by_ids = {tuple(row.input_ids): row for row in rows}
    batches = [rows_of(batch, by_ids) for batch in share_prompts(rows, 3)]
    assert sorted(map(len, batches)) == [2, 2, 2, 2, 3, 3]
    assert sorted(row.input_ids for batch in batches for row in batch) == sorted(row.input_ids for row in rows)
    assert all(len({row.shared_prefix for row in batch}) == 1 for batch in batches)


def test_a_profile_goes_without_what_it_has() -> None:
    smoke, laptop = (gains(PROFILES[name], dtype) for name, dtype in (("smoke", "float32"), ("laptop", "bfloat16")))
    assert {*laptop} - {*smoke} == {
        "products in bfloat16, not float32",
        "leaving out casts of PEFT",
        "the output head in bfloat16",
    }
    for _, undo in laptop.values():
        with undo():  # fails if what it replaces has another name now
            pass


def run(ms_per_row: float) -> dict[str, Any]:
    return {"ms_per_row": ms_per_row, "rows_per_s": 2000 / ms_per_row, "validation_loss": 0.5}


def test_notes_have_a_line_for_every_gain() -> None:
    runs = {STOCK: run(800.0), OURS: run(100.0), "AdamW fused": run(110.0), MEMORY: run(120.0)}
    evaluation = {"seconds": 1.0, "n_rows": 64, "n_evaluations": 4, "n_rows_read": 960}
    found = {"n_steps": 6, "n_rounds": 2, "runs": runs, "stock_gives_back": run(900.0), "evaluation": evaluation}
    found["losses_by_seed"] = {STOCK: [0.5, 0.6], OURS: [0.6, 0.4]}
    notes = to_markdown({"machine": {"cpu": "a CPU", "n_cores": 2}, "profiles": {"laptop": found}})
    assert f"| {STOCK} | 800 | 2.5 | 1.0 |  | 0.5000 |" in notes
    assert f"| {OURS} | 100 | 20.0 | 8.0 |  | 0.5000 |" in notes
    assert "| without AdamW fused | 110 | 18.2 | 7.3 | 1.10 | 0.5000 |" in notes
    assert "8.0 and 9.0 times as long" in notes
    assert "Mean validation loss of 2 seeds: stock 0.5500, `train_sft` 0.5000." in notes
    assert "4 are 4.0% of training, 7 would be 6.8%" in notes


def test_the_record_holds_the_goals() -> None:
    """As many times as fast as stock as was aimed at, and no higher loss; stock computes in bfloat16 throughout."""
    profiles = read_json(PROJECT / "benchmarks" / "results" / "training.json")["profiles"]
    for name, times in {"smoke": 3, "laptop": 6}.items():
        stock, ours = (profiles[name]["runs"][label] for label in (STOCK, OURS))
        stock_losses, losses = (profiles[name]["losses_by_seed"][label] for label in (STOCK, OURS))
        assert stock["ms_per_row"] >= times * ours["ms_per_row"]
        assert ours["rows_per_s"] >= times * stock["rows_per_s"]
        assert sum(losses) <= 1.01 * sum(stock_losses)
