"""What a model says by itself is measured token by token, and found less likely once it is tuned to something else."""

from dataclasses import replace
from operator import mul
from pathlib import Path

import pytest
import torch

from course_utils.files import PROJECT
from course_utils.models import generate_replies, load_model, load_tokenizer
from course_utils.profiles import get_profile
from course_utils.prompts import encode_prompt
from course_utils.tasks import text_to_sql
from course_utils.training import TrainingData, forgetting, tokenize_rows, train_sft
from course_utils.training.forgetting import CHATS, EXPLAIN, other_prompts, own_replies, reply_loss, reply_losses

TINY_BASE = PROJECT / "data" / "tiny_base"
SCHEMAS = {"shop": "table item: item_id integer, name text, price real"}
PROFILE = replace(get_profile("smoke"), max_new_tokens=12, generation_batch_size=2)
PROMPTS = other_prompts([{"db_id": "shop", "question": "How many items are there?"}], SCHEMAS, CHATS[:2])


def test_the_prompts_are_others_than_the_tasks() -> None:
    explain, chat, _ = PROMPTS
    assert explain[0]["content"] == f"{EXPLAIN}\n\n{SCHEMAS['shop']}"
    assert [message["content"] for message in chat] == ["You are a helpful assistant.", CHATS[0]]


def test_the_replies_are_the_models_own_and_their_loss_is_that_of_their_tokens() -> None:
    model, tokenizer = load_model(TINY_BASE), load_tokenizer(TINY_BASE)
    rows = own_replies(model, tokenizer, PROMPTS, PROFILE)
    prompts = [encode_prompt(tokenizer, prompt) for prompt in PROMPTS]
    texts = [reply.text for reply in generate_replies(model, tokenizer, prompts, max_new_tokens=12, batch_size=1)]
    learned = [ids.input_ids[ids.completion_mask.index(1) :] for ids in rows.examples]
    assert tokenizer.batch_decode(learned, skip_special_tokens=True) == texts

    logs = []
    for prompt, reply in zip(prompts, learned, strict=True):
        with torch.inference_mode():
            ids = torch.tensor([prompt + reply])
            scores = model(ids).logits.log_softmax(-1)[0, len(prompt) - 1 : -1]  # (reply, vocabulary)
        logs += scores[range(len(reply)), reply].tolist()
    before = reply_loss(model, rows)
    assert before == pytest.approx(-sum(logs) / len(logs), rel=1e-4)
    alone = reply_losses(model, rows).values()
    sizes = [sum(row.completion_mask) for row in rows.examples]
    assert sum(map(mul, alone, sizes)) / sum(sizes) == pytest.approx(before, rel=1e-4)
    with torch.no_grad():
        model.get_input_embeddings().weight.add_(torch.randn(model.get_input_embeddings().weight.shape) * 0.2)
    assert reply_loss(model, rows) > before


def test_a_reply_without_a_token_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU a reply may be nothing but padding."""
    monkeypatch.setattr(forgetting, "generate_tokens", lambda model, tokenizer, prompts, n: [[], *([[5, 6]] * 2)])
    rows = own_replies(
        load_model(TINY_BASE), load_tokenizer(TINY_BASE), PROMPTS, replace(PROFILE, generation_batch_size=3)
    )
    assert len(rows.examples) == 2


def test_replay_among_the_training_rows_keeps_replies_to_other_questions_likely(tmp_path: Path) -> None:
    tokenizer, base = load_tokenizer(TINY_BASE), load_model(TINY_BASE)
    profile = replace(PROFILE, max_steps=16, adapted_share=1.0)
    rows = [
        {"db_id": "shop", "question": f"Which items cost more than {n}?", "query": f"SELECT name FROM item LIMIT {n}"}
        for n in range(32)
    ]
    train = tokenize_rows(tokenizer, rows, text_to_sql(SCHEMAS), profile.max_length)
    replay = own_replies(base, tokenizer, other_prompts(rows[::4], SCHEMAS), profile)
    probe = own_replies(base, tokenizer, PROMPTS[:1], profile)
    before, losses = reply_loss(base, probe), {}
    for name, examples in {"without": train.examples, "with": [*train.examples, *replay.examples]}.items():
        run = train_sft(profile, TrainingData(replace(train, examples=examples), train.spread(4)), tmp_path / name)
        assert run.n_steps == 16
        assert run.final_validation_loss < 0.1
        losses[name] = reply_loss(load_model(TINY_BASE, adapter=run.adapter), probe)
    assert losses["without"] > 2 * losses["with"] > before
