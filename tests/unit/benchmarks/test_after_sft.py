"""The committed record compares runs that differ in one thing, and shows what notebook 3 says of it."""

from course_utils.files import PROJECT, read_json

RUNS = read_json(PROJECT / "benchmarks" / "results" / "after_sft.json")["runs"]


def test_replay_and_sft_took_as_many_steps_and_kept_their_last_weights() -> None:
    ends = [(run["seed"], run["n_steps"], run["kept_step"]) for run in RUNS["SFT"]]
    assert ends == [(run["seed"], run["n_steps"], run["kept_step"]) for run in RUNS["SFT with replay"]]
    assert len({kept for _, *steps in ends for kept in steps}) == 1
    assert len(ends) >= 2


def test_replay_keeps_the_bases_replies_likelier_with_every_seed() -> None:
    for without, with_it in zip(RUNS["SFT"], RUNS["SFT with replay"], strict=True):
        assert with_it["probe_loss"] < without["probe_loss"] / 2


def test_dpo_loses_answers_at_a_quarter_of_the_rate_and_not_at_a_fortieth() -> None:
    fast, slow = (run[0]["against_sft"]["all rows"] for name, run in RUNS.items() if "DPO" in name)
    assert fast["high"] < 0 <= slow["high"]
