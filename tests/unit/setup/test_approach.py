"""The decision, at its thresholds and in its order."""

import pytest

from course_utils.errors import ConfigurationError
from course_utils.setup import choose_approach


@pytest.mark.parametrize(
    ("n_examples", "choice", "word"),
    [
        (0, "few_shot", "too few"),
        (99, "few_shot", "too few"),
        (100, "lora", "overfitting"),
        (999, "lora", "overfitting"),
        (1_000, "lora", "does best"),
        (10_000, "lora", "does best"),
        (10_001, "lora_and_more", "DPO"),
    ],
)
def test_behaviour_is_decided_by_the_number_of_examples(n_examples: int, choice: str, word: str) -> None:
    approach = choose_approach("behaviour", n_examples)
    assert approach.choice == choice
    assert word in approach.reason
    assert choice in approach._repr_html_()


@pytest.mark.parametrize("n_examples", [0, 500, 50_000])
def test_facts_are_retrieved_however_many_examples_there_are(n_examples: int) -> None:
    assert choose_approach("knowledge", n_examples).choice == "retrieve"


@pytest.mark.parametrize("goal", ["behaviour", "knowledge"])
def test_a_prompt_that_is_enough_wins_and_measuring_comes_first(goal: str) -> None:
    assert choose_approach(goal, 5_000, prompting_is_enough=True).choice == "prompt"
    assert choose_approach(goal, 5_000, prompting_is_enough=True, can_measure=False).choice == "measure"


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="'magic' is unknown"):
        choose_approach("magic", 5)
    with pytest.raises(ConfigurationError, match="n_examples is -1"):
        choose_approach("behaviour", -1)
