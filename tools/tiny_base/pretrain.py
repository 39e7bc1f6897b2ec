"""Pretrain the tiny base model from nothing on generated text.

AdamW; the rate rises over the first 100 steps and falls linearly to zero. Most steps read short
blocks, which are fastest; the last ones read long blocks, so that long schemas work too.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tiny_base.documents import documents
from tools.tiny_base.tokenizer import END, END_OF_TEXT, PAD, as_text, train_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)
WARMUP_STEPS = 100
TOKENIZER_DOCUMENTS = 6_000


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, next to the code and the versions."""

    seed: int = 0
    n_tokens: int = 12_000_000
    """Training tokens; each is seen once."""
    step_tokens: int = 4096
    """Tokens in one optimizer step."""
    short_block: int = 256
    """Tokens in one training sequence at first."""
    long_block: int = 1024
    """Tokens in one training sequence at the end."""
    long_share: float = 0.2
    """Share of the steps that read long blocks."""
    learning_rate: float = 3e-3
    hidden: int = 256
    """Width; with ``intermediate`` a multiple of 256, the row size of llama.cpp's K-quants."""
    intermediate: int = 512
    layers: int = 4
    heads: int = 4
    key_value_heads: int = 2

    @property
    def n_steps(self) -> int:
        """Optimizer steps."""
        return self.n_tokens // self.step_tokens

    def block(self, step: int) -> int:
        """Tokens in one sequence of this step."""
        return self.long_block if step >= self.n_steps * (1 - self.long_share) else self.short_block


def new_model(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast") -> "LlamaForCausalLM":
    """A randomly initialised Llama with tied embeddings, in float32."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(recipe.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.key_value_heads,
        max_position_embeddings=tokenizer.model_max_length,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.convert_tokens_to_ids(END),
        pad_token_id=tokenizer.convert_tokens_to_ids(PAD),
    )
    return LlamaForCausalLM(config)


def _batches(recipe: Recipe, tokenizer: "PreTrainedTokenizerFast") -> Iterator["torch.Tensor"]:
    """Token ids of every step, shape (sequences, block), cut from one endless line of documents."""
    import torch

    stream = documents(recipe.seed + 1)
    ids: list[int] = []
    for step in range(recipe.n_steps):
        while len(ids) < recipe.step_tokens:
            texts = [as_text(tokenizer, document) for document in islice(stream, 64)]
            for encoded in tokenizer(texts, add_special_tokens=False)["input_ids"]:
                ids += encoded
        yield torch.tensor(ids[: recipe.step_tokens]).view(-1, recipe.block(step))
        ids = ids[recipe.step_tokens :]


def _rate(step: int, n_steps: int) -> float:
    """Share of the full rate at a step: warm-up, then a straight line to zero."""
    return min(1.0, (step + 1) / WARMUP_STEPS) * (1 - step / n_steps)


def _report(step: int, recipe: Recipe, loss: float, began: float) -> dict[str, float]:
    rate = (step + 1) * recipe.step_tokens / (time.perf_counter() - began)
    logger.info("step %d/%d loss %.3f, %.0f tokens/s", step + 1, recipe.n_steps, loss, rate)
    return {"step": step + 1, "loss": round(loss, 4), "tokens_per_s": round(rate)}


def pretrain(recipe: Recipe, output: Path) -> Path:
    """Run the recipe and write model, tokenizer and ``pretraining.json`` to ``output``.

    Args:
        recipe: Size, data and rates.
        output: Folder, made if missing; weights are float16 safetensors.

    Returns:
        ``output``.
    """
    import torch
    from tqdm.auto import tqdm

    sample = list(islice(documents(recipe.seed), TOKENIZER_DOCUMENTS))
    tokenizer = train_tokenizer(
        text if isinstance(text, str) else "\n".join(m["content"] for m in text) for text in sample
    )
    model = new_model(recipe, tokenizer).to("cuda" if torch.cuda.is_available() else "cpu")
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe.n_steps))
    history, began = [], time.perf_counter()
    for step, batch in enumerate(tqdm(_batches(recipe, tokenizer), total=recipe.n_steps, unit="step")):
        batch = batch.to(model.device)
        loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if (step + 1) % 50 == 0 or step + 1 == recipe.n_steps:
            history.append(_report(step, recipe, loss.item(), began))
        if (step + 1) % 250 == 0:
            _save(model, tokenizer, output)
    _save(model, tokenizer, output)
    record = {"recipe": asdict(recipe), "seconds": round(time.perf_counter() - began), "history": history}
    (output / "pretraining.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return output


def _save(model: "LlamaForCausalLM", tokenizer: "PreTrainedTokenizerFast", output: Path) -> None:
    from copy import deepcopy

    import torch

    output.mkdir(parents=True, exist_ok=True)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids([END, END_OF_TEXT])
    deepcopy(model).to(dtype=torch.float16).save_pretrained(output)
    tokenizer.save_pretrained(output)
