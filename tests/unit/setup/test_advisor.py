"""The tree at its thresholds and in its order, and the path that is lit."""

import xml.etree.ElementTree as ET

import pytest

from course_utils.errors import ConfigurationError
from course_utils.setup.advisor import advise, draw_tree


@pytest.mark.parametrize(
    ("n_examples", "label", "choice", "word"),
    [
        (0, "under 100", "few-shot", "too few"),
        (99, "under 100", "few-shot", "too few"),
        (100, "under 1,000", "LoRA, rank 8", "overfitting"),
        (999, "under 1,000", "LoRA, rank 8", "overfitting"),
        (1_000, "under 10,000", "LoRA, rank 16", "does best"),
        (9_999, "under 10,000", "LoRA, rank 16", "does best"),
        (10_000, "10,000 or more", "+ DPO, or full", "DPO"),
    ],
)
def test_behaviour_is_decided_by_the_number_of_examples(n_examples: int, label: str, choice: str, word: str) -> None:
    advice = advise("behaviour", n_examples)
    assert advice.choice == choice
    assert word in advice.reason
    assert advice.path[3][1] == label
    assert len(advice.path) == (4 if choice == "few-shot" else 5)


@pytest.mark.parametrize("n_examples", [0, 500, 50_000])
def test_facts_are_retrieved_however_many_examples_there_are(n_examples: int) -> None:
    assert advise("knowledge", n_examples, gpu_gib=24).choice == "retrieve"


@pytest.mark.parametrize("goal", ["behaviour", "knowledge"])
def test_a_prompt_that_is_enough_wins_and_measuring_comes_first(goal: str) -> None:
    assert advise(goal, 5_000, prompting_is_enough=True).choice == "prompt"
    assert advise(goal, 5_000, prompting_is_enough=True, can_measure=False).choice == "measure"


@pytest.mark.parametrize(
    ("gpu_gib", "answer", "room"),
    [
        (0, "none", "a service tunes larger ones (course export)"),
        (4.0, "under 8 GB", "room for SmolLM2-1.7B-Instruct by QLoRA"),
        (7.6, "8 GB or more", "by QLoRA"),
        (8.0, "8 GB or more", "room for Mistral-7B-Instruct-v0.3 by QLoRA; room for Qwen3-1.7B by LoRA"),
        (24.0, "8 GB or more", "room for Qwen3-8B by LoRA"),
    ],
)
def test_the_card_decides_method_and_size(gpu_gib: float, answer: str, room: str) -> None:
    advice = advise("behaviour", 1_500, gpu_gib=gpu_gib)
    assert advice.path[-1][1] == answer
    assert room in advice.room
    assert ("course export" in advice.room) == (gpu_gib < 7.5)
    assert advice.room in advice._repr_html_()
    assert advice.room not in advise("knowledge", 1_500, gpu_gib=gpu_gib)._repr_html_()


@pytest.mark.parametrize(("goal", "n_lit"), [("behaviour", 5), ("knowledge", 3)])
def test_one_box_of_every_step_on_the_path_is_lit(goal: str, n_lit: int) -> None:
    rows = [row for row in ET.fromstring(draw_tree(advise(goal, 1_500))) if row.tag == "div"]
    n_lit_by_row = [sum("font-weight:bold" in box.attrib["style"] for box in row) for row in rows]
    assert n_lit_by_row == [1] * n_lit + [0] * (len(rows) - n_lit)
    assert sum(map(len, rows)) == 13


def test_the_words_stand_below_the_tree() -> None:
    html = advise("knowledge", 10)._repr_html_()
    assert html.index("border-radius") < html.index("<table")
    assert "What does the model lack?</td>" in html
    assert "How much GPU memory?</td>" not in html


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'magic' is unknown"):
        advise("magic", 5)
    with pytest.raises(ConfigurationError, match="n_examples is -1"):
        advise("behaviour", -1)
