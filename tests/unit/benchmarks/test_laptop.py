"""The committed record of a whole laptop run meets the profile's goals, and the README repeats its numbers."""

from course_utils.files import PROJECT, read_json

RECORD = read_json(PROJECT / "benchmarks" / "results" / "laptop.json")
GROUPS = RECORD["whole_test"]["groups"]


def test_laptop_reaches_what_it_promises() -> None:
    for groups in (GROUPS, *(run["groups"] for run in RECORD["other_seeds"])):
        assert groups["all rows"]["accuracy"] >= 0.75
        assert groups["unseen databases"]["accuracy"] >= 0.60
    assert RECORD["results"]["base_execution_accuracy"] == 0
    assert RECORD["results"]["peak_memory_gib"] <= 6
    assert RECORD["seconds"]["total"] <= 40 * 60


def test_the_readme_repeats_the_record() -> None:
    text = " ".join((PROJECT / "README.md").read_text("utf-8").split())
    whole, unseen = GROUPS["all rows"], GROUPS["unseen databases"]
    right = [round(group["n"] * group["accuracy"]) for group in (whole, unseen)]
    assert f"`laptop` answers {right[0]} of the {whole['n']} easy and medium test questions" in text
    assert f"{right[1]} of {unseen['n']}" in text
    other = [RECORD["other_seeds"][0]["groups"][name]["accuracy"] for name in ("all rows", "unseen databases")]
    assert "with another seed {:.0f} and {:.0f} %".format(*(100 * share for share in other)) in text
