"""Another task trains and answers through the very calls that text-to-SQL takes."""

from dataclasses import replace
from pathlib import Path

from course_utils.evaluation import predict
from course_utils.files import PROJECT, read_jsonl
from course_utils.models import load_model, load_tokenizer
from course_utils.profiles import get_profile
from course_utils.tasks import ticket_triage
from course_utils.training import TrainingData, tokenize_rows, train_sft

TINY_BASE = PROJECT / "data" / "tiny_base"
PROFILE = replace(get_profile("smoke"), max_steps=6, n_evaluations=1, warmup_steps=1, max_new_tokens=24)


def test_tickets_are_learned_and_answered_by_the_same_calls(tmp_path: Path) -> None:
    task = ticket_triage()
    tickets = read_jsonl(PROJECT / "data" / "tickets" / "train.jsonl")[:6]
    tokenizer = load_tokenizer(TINY_BASE)
    rows = tokenize_rows(tokenizer, tickets, task, PROFILE.max_length)
    assert not rows.too_long
    result = train_sft(PROFILE, TrainingData(rows, rows), tmp_path / "adapter")
    losses = [record["eval_loss"] for record in result.history if "eval_loss" in record]
    assert losses[-1] < losses[0]
    answered = predict(load_model(TINY_BASE, adapter=result.adapter), tokenizer, tickets, task, PROFILE)
    assert [(row["id"], row["label"]) for row in answered] == [(row["id"], row["label"]) for row in tickets]
    targets = [task.to_target(row) for row in tickets]
    # Six steps teach no ticket; a model that had learned them would reply the targets.
    assert [row["predicted"] for row in answered] != targets == [task.read_reply(target) for target in targets]
