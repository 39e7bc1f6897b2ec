"""DPO on a handful of pairs, with the real trainer and the real tiny base."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from trl import DPOTrainer

from course_utils.errors import DataError
from course_utils.files import PROJECT
from course_utils.models import load_model
from course_utils.profiles import get_profile
from course_utils.tasks import text_to_sql, ticket_triage
from course_utils.training import read_pairs, train_dpo
from course_utils.training.backends import load_trainable
from course_utils.training.policy import policy_settings

TINY_BASE = PROJECT / "data" / "tiny_base"
TASK = text_to_sql({"shop": "table item: item_id integer, name text, price real"})
PAIRS = [
    {
        "db_id": "shop",
        "question": f"Which items cost more than {n}?",
        "chosen": f"SELECT name FROM item WHERE price > {n}",
        "rejected": f"SELECT name FROM item WHERE price < {n}",
    }
    for n in range(20)
]
PROFILE = replace(get_profile("smoke"), max_steps=4, batch_size=4, n_evaluations=2, learning_rate=0.4)


def start(folder: Path, method: str = "lora") -> Path:
    """What ``train_sft`` would leave after no step at all."""
    model, _ = load_trainable(replace(PROFILE, method=method), TINY_BASE)
    model.save_pretrained(folder)
    return folder


def test_the_margin_grows_from_nothing_and_one_adapter_is_saved(tmp_path: Path) -> None:
    long = {**PAIRS[0], "question": "Which? " * 600}
    result = train_dpo(PROFILE, TINY_BASE, start(tmp_path / "sft"), [*PAIRS, long], TASK, tmp_path / "dpo")
    assert [record["step"] for record in result.history] == [0, 1, 2, 2, 3, 4, 4]
    margins = [record["held-out margins"] for record in result.history if "held-out margins" in record]
    assert margins[0] == 0 < margins[-1]
    assert result.history[-1]["held-out accuracies"] == 1.0
    assert (result.n_steps, result.n_too_long) == (4, 1)
    assert not (tmp_path / "dpo" / "ref").exists()
    load_model(TINY_BASE, adapter=tmp_path / "dpo")


def test_six_held_out_pairs_count_alike_in_batches_of_four(tmp_path: Path) -> None:
    sft, pairs = start(tmp_path / "sft"), [{**PAIRS[n % 20], "question": f"{n}: which items?"} for n in range(60)]
    ends = []
    for size in (4, 1):
        profile = replace(PROFILE, batch_size=size, gradient_accumulation=4 // size, max_steps=2, n_evaluations=1)
        ends.append(train_dpo(profile, TINY_BASE, sft, pairs, TASK, tmp_path / f"dpo_{size}").history[-1])
    for name in ("held-out margins", "held-out chosen", "held-out accuracies"):
        assert ends[0][name] == pytest.approx(ends[1][name], rel=1e-3)


@pytest.mark.parametrize("name", ["chosen", "rejected"])
def test_an_answer_that_would_end_its_turn_early_is_refused(name: str, tmp_path: Path) -> None:
    pairs = [*PAIRS, {**PAIRS[0], name: "SELECT name FROM item WHERE name = '<|im_end|>'"}]
    with pytest.raises(DataError, match=rf"{name} for 'Which items .*': the answer holds '<\|im_end\|>', .*take such"):
        train_dpo(PROFILE, TINY_BASE, start(tmp_path / "sft"), pairs, TASK, tmp_path / "dpo")


def test_a_model_that_was_tuned_whole_is_trained_on_too(tmp_path: Path) -> None:
    once = replace(PROFILE, method="full", max_steps=1, n_evaluations=1)
    result = train_dpo(once, TINY_BASE, start(tmp_path / "sft", "full"), PAIRS[:6], TASK, tmp_path / "dpo")
    assert result.history[0]["held-out margins"] == 0
    assert (result.adapter / "config.json").is_file()


def test_pairs_may_be_of_any_task(tmp_path: Path) -> None:
    right, wrong = (f'{{"label": "billing", "priority": "{priority}"}}' for priority in ("high", "low"))
    pairs = [{"text": f"Invoice {n} is wrong.", "chosen": right, "rejected": wrong} for n in range(6)]
    once = replace(PROFILE, max_steps=1, n_evaluations=1)
    result = train_dpo(once, TINY_BASE, start(tmp_path / "sft"), pairs, ticket_triage(), tmp_path / "dpo")
    assert result.n_steps == 1


@pytest.mark.parametrize(("method", "rate"), [("lora", math.sqrt(5e-4 * 6e-3)), ("full", 5e-4)])
def test_a_policys_rate_lies_between_those_that_a_and_b_had(method: str, rate: float, tmp_path: Path) -> None:
    profile = replace(get_profile("laptop"), method=method, learning_rate=5e-4, loraplus_ratio=12)
    assert policy_settings(profile, 0.1, 8, tmp_path)["learning_rate"] == pytest.approx(0.1 * rate)


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="1 of 1 pairs fit max_length=512, but 2 must"):
        train_dpo(PROFILE, TINY_BASE, start(tmp_path / "sft"), PAIRS[:1], TASK, tmp_path / "dpo")


def test_every_bad_pair_is_listed_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "databases" / "shop").mkdir(parents=True)
    faults = [{"chosen": " "}, {"rejected": f"{PAIRS[0]['chosen']} "}, {"db_id": "market"}, {"question": 7}]
    lines = [json.dumps({**PAIRS[0], **fault}) for fault in ({}, *faults)]
    file = tmp_path / "preferences.jsonl"
    file.write_text("\n".join([lines[0], "", *lines[1:], "{", "[]"]), "utf-8")
    with pytest.raises(DataError) as raised:
        read_pairs(tmp_path)
    _, *found = str(raised.value).splitlines()
    assert [line.split(":")[1] for line in found] == ["3", "4", "5", "6", "7", "8"]
    assert "no text for chosen; give one JSON object a line, with db_id" in found[0]
    assert "are the same" in found[1]
    assert "no database 'market'" in found[2]
    assert "a list instead of an object" in found[-1]
    file.write_text(json.dumps(PAIRS[0]) + "\n", "utf-8")
    assert read_pairs(tmp_path) == PAIRS[:1]


def test_the_courses_own_pairs_are_good() -> None:
    assert len(read_pairs(PROJECT / "data")) == 800


def test_trl_still_has_the_method_that_we_override() -> None:
    assert callable(DPOTrainer._prepare_dataset)
