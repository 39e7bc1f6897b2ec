"""The committed record of three seeds meets the goals of the smoke profile."""

from course_utils.files import PROJECT, read_json


def test_every_seed_reaches_the_accuracies_that_smoke_promises() -> None:
    runs = read_json(PROJECT / "benchmarks" / "results" / "smoke_seeds.json")["tuned"]
    assert len(runs) == 3
    for run in runs:
        assert run["groups"]["all rows"]["accuracy"] >= 0.80
        assert run["groups"]["unseen databases"]["accuracy"] >= 0.72
