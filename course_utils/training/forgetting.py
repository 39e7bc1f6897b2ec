"""Measure what a model forgets in tuning, by its loss on the base model's own replies, and make rows to prevent it.

The base model's replies to prompts of other tasks stand for its pretraining data, which is not needed.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from course_utils.files import Row, hash_of
from course_utils.models.generation import generate_tokens
from course_utils.profiles import Profile
from course_utils.prompts import EncodedExample, Message, encode_prompt
from course_utils.training.examples import TokenizedRows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EXPLAIN = "Explain in plain English how you would find the answer. Do not write a query."
ASSISTANT = "You are a helpful assistant."
CHATS = (
    "What can you do for me?",
    "Explain in two sentences what a database is.",
    "Give me three tips for learning to cook.",
    "Write a short, friendly email that moves a meeting to Friday.",
)


def other_prompts(rows: Iterable[Row], schemas: Mapping[str, str], chats: Iterable[str] = ()) -> list[list[Message]]:
    """Prompts of other tasks: one for each row, to explain how to find the answer, and one for each of ``chats``."""
    explain = [(f"{EXPLAIN}\n\n{schemas[row['db_id']]}", row["question"]) for row in rows]
    asked = [*explain, *((ASSISTANT, chat) for chat in chats)]
    return [[{"role": "system", "content": system}, {"role": "user", "content": user}] for system, user in asked]


def own_replies(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", prompts: list[list[Message]], profile: Profile
) -> TokenizedRows:
    """The model's greedy, non-empty replies as rows, to measure forgetting with or to add to the training rows."""
    examples, size = [], profile.generation_batch_size
    for chats in (prompts[start : start + size] for start in range(0, len(prompts), size)):
        asked = [encode_prompt(tokenizer, chat) for chat in chats]
        replies = generate_tokens(model, tokenizer, asked, profile.max_new_tokens)
        for chat, prompt, reply in zip(chats, asked, replies, strict=True):
            if reply:  # without a token there is nothing to take a loss of
                mask = [0] * len(prompt) + [1] * len(reply)
                examples.append(EncodedExample(prompt + reply, mask, chat[0]["content"]))
    return TokenizedRows(examples, [])


def reply_loss(model: "PreTrainedModel", rows: TokenizedRows) -> float:
    """Mean cross-entropy of the replies, in nats per token: 0 or more, lower is better."""
    import torch

    total = 0.0
    with torch.inference_mode():
        for row in rows.examples:
            ids, mask = torch.tensor([[row.input_ids], [row.completion_mask]], device=model.device)  # (1, length) each
            total += float(model(input_ids=ids, labels=ids.where(mask == 1, -100)).loss) * sum(row.completion_mask)
    return total / max(1, rows.n_supervised_tokens)


def reply_losses(model: "PreTrainedModel", rows: TokenizedRows) -> dict[str, float]:
    """``reply_loss`` of each reply, by a hash of prompt and reply, so that the gate can compare two models by reply."""
    return {hash_of(row.input_ids)[:16]: reply_loss(model, TokenizedRows([row], [])) for row in rows.examples}
