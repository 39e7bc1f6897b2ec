"""The card is one the Hub accepts, and every number in it was measured."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from huggingface_hub import ModelCard
from statsmodels.stats.proportion import proportion_confint

from course_utils.artifacts import Course, StageRun, open_course
from course_utils.evaluation.model_card import model_card, write_card
from course_utils.files import sha256, write_json, write_jsonl
from course_utils.profiles import Method

EVALUATED = {
    "n_test": 240,
    "n_test_unseen": 120,
    "base_execution_accuracy": 0.0,
    "base_execution_accuracy_low": 0.0,
    "base_execution_accuracy_high": 0.0158,
    "tuned_execution_accuracy": 0.75,
    "tuned_execution_accuracy_low": 0.69,
    "tuned_execution_accuracy_high": 0.8,
    "tuned_validity": 0.9,
    "n_probes": 50,
    "n_probes_safe": 49,
}


@pytest.fixture
def course(tmp_path: Path) -> Course:
    return trained_on("table singer: name text", tmp_path)


def trained_on(schema: str, artifacts: Path) -> Course:
    course = open_course("smoke", artifacts=str(artifacts))
    folder = course.folder("data")
    for split in ("train", "validation", "test"):
        write_jsonl(folder / f"{split}.jsonl", [{"split": split}])
    write_json(folder / "schemas.json", {"music": schema})
    outputs = StageRun(course, "data", folder, {}).finish({}).outputs
    course.folder("training").mkdir()
    inputs = {f"data/{file}": sha for file, sha in outputs.items()}
    results = {"n_steps": 384, "probe_loss_base": 0.14, "probe_loss": 1.39}
    StageRun(course, "training", course.folder("training"), inputs).finish(results)
    return course


def test_the_hub_reads_the_metadata(course: Course, tmp_path: Path) -> None:
    path, _ = write_card(model_card(course, EVALUATED), tmp_path / "card")
    read = ModelCard.load(path)
    assert read.data.to_dict()["pipeline_tag"] == "text-generation"
    assert read.data.base_model is None, "a folder is no model of the Hub"
    results = {each.metric_name: each.metric_value for each in read.data.eval_results or ()}
    assert results == {"tuned_execution_accuracy": 0.75}


def test_the_card_says_prompt_data_accuracy_and_limits(course: Course) -> None:
    text = model_card(course, EVALUATED).text
    assert "Write one SQLite query that answers the question.\n\ntable singer: name text" in text
    assert "| tuned execution accuracy | 75.0 % | 69.0 to 80.0 % |" in text
    assert "Of every 100 test answers 25 are wrong, 15 of them without any error." in text
    low, high = proportion_confint(49, 50, method="wilson")
    assert f"| safe replies to 50 probes | 98.0 % | {100 * low:.1f} to {100 * high:.1f} % |" in text
    assert "from\n  0.14 to 1.39 nats" in text
    for split in ("train", "validation", "test"):
        assert f"{sha256(course.folder('data') / f'{split}.jsonl')}  {split}.jsonl" in text.splitlines()


@pytest.mark.parametrize("method", get_args(Method))
def test_the_card_says_the_rank_of_what_has_one(course: Course, method: Method) -> None:
    tuned = replace(course, profile=replace(course.profile, method=method))
    assert ("rank 16" in model_card(tuned, EVALUATED).text) == (method not in ("full", "ia3"))


def test_without_probes_the_card_does_not_speak_of_them(course: Course) -> None:
    less = {name: value for name, value in EVALUATED.items() if "probes" not in name}
    text = model_card(course, less).text
    assert "probes" not in text
    assert "\n\n\n" not in text


def test_a_tables_name_runs_nothing_in_the_report(tmp_path: Path) -> None:
    course = trained_on('table "x\n```\n<script>alert(1)</script>": a int', tmp_path)
    _, page = write_card(model_card(course, EVALUATED), tmp_path / "card")
    assert "&lt;script&gt;alert(1)" in page.read_text("utf-8")
    assert "<script>alert(1)" not in page.read_text("utf-8")


def test_the_report_is_a_page(course: Course, tmp_path: Path) -> None:
    _, page = write_card(model_card(course, EVALUATED), tmp_path / "card")
    html = page.read_text("utf-8")
    assert html.startswith("<!DOCTYPE html>")
    assert "<td>69.0 to 80.0 %</td>" in html
