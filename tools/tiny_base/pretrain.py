"""Pretrain the tiny base model from random weights on generated text.

Muon trains the matrices of the layers and AdamW the other weights; their learning rates rise over the first 100 steps
and then fall linearly to zero. Most steps read rows of short documents, which is fastest; the last steps read long
rows, so that long schemas work too.
"""

import json
import logging
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tiny_base.documents import documents
from tools.tiny_base.induction import install_induction
from tools.tiny_base.rows import IGNORED, Encoded, fill_rows
from tools.tiny_base.tokenizer import END, END_OF_TEXT, PAD, lower_case_twins, train_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

logger = logging.getLogger(__name__)
WARMUP_STEPS = 100


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, next to the code and the versions."""

    seed: int = 0
    tokenizer_documents: int = 3_000
    """Documents from which the tokenizer learns its merges."""
    n_tokens: int = 40_000_000
    """Training tokens; each is seen once."""
    minutes: float = 70.0
    """A slow machine stops here: the rate falls by tokens or by time, whichever is further."""
    step_tokens: int = 2048
    """Tokens in one optimizer step."""
    short_block: int = 512
    """Tokens in one training sequence at first; it holds whole documents."""
    long_block: int = 1024
    """Tokens in one training sequence at the end."""
    long_share: float = 0.3
    """Share of the steps that read long blocks."""
    learning_rate: float = 3e-3
    """AdamW's, of embeddings and norms."""
    muon_rate: float = 0.02
    """Muon's (Jordan 2024), of the matrices between layers: it needs a fifth of the tokens that AdamW needs here."""
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

    def block(self, progress: float) -> int:
        """Tokens in one sequence at this part of the run, from 0 to 1."""
        return self.long_block if progress >= 1 - self.long_share else self.short_block


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
    model = LlamaForCausalLM(config)
    weight = model.get_input_embeddings().weight.data
    by_case = torch.randn(2, recipe.hidden) * config.initializer_range
    for token, twin in lower_case_twins(tokenizer).items():
        # SALARY begins as the embedding of salary plus a vector that all tokens in capitals share; Salary has another.
        weight[token] = weight[twin] + by_case[int(tokenizer.convert_ids_to_tokens(token).isupper())]
    install_induction(model, recipe.seed)
    return model


def _loss(model: "LlamaForCausalLM", rows: list[Encoded]) -> "torch.Tensor":
    """Mean cross-entropy of rows of one length, in nats; the head works only where there is a label."""
    import torch

    ids = torch.tensor([row.ids for row in rows], device=model.device)  # (rows, length)
    targets = torch.tensor([row.labels[1:] for row in rows], device=model.device)  # (rows, length - 1)
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]  # (rows, length - 1, width)
    is_learned = targets != IGNORED
    return torch.nn.functional.cross_entropy(model.lm_head(hidden[is_learned]).float(), targets[is_learned])


def bfloat16_pays(device: str) -> bool:
    """Whether this device multiplies matrices faster in bfloat16: a fifth of a second of either decides."""
    import torch

    def seconds(dtype: torch.dtype) -> float:
        left, right = (
            torch.ones(4096, 256, dtype=dtype, device=device),
            torch.ones(256, 512, dtype=dtype, device=device),
        )
        (left @ right).sum().item()
        began = time.perf_counter()
        for _ in range(20):
            (left @ right).sum().item()
        return time.perf_counter() - began

    return seconds(torch.bfloat16) < 0.9 * seconds(torch.float32)


def _optimizers(model: "LlamaForCausalLM", recipe: Recipe) -> "list[torch.optim.Optimizer]":
    """Muon for the matrices between layers, AdamW for the rest; each group keeps its full rate as ``full``."""
    import torch

    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
    rest = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
    optimizers = [
        torch.optim.Muon(matrices, lr=recipe.muon_rate, weight_decay=0.05),
        torch.optim.AdamW(rest, lr=recipe.learning_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["full"] = group["lr"]
    return optimizers


def _rate(progress: float, step: int) -> float:
    """Share of the full rate: warm-up, then a straight line to zero; ``progress`` is from 0 to 1."""
    return min(1.0, (step + 1) / WARMUP_STEPS) * max(0.0, 1 - progress)


def _report(step: int, recipe: Recipe, losses: list[float], began: float) -> dict[str, float]:
    loss = sum(losses) / len(losses)
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

    sample = (document.text for document in islice(documents(recipe.seed), recipe.tokenizer_documents))
    tokenizer = train_tokenizer(
        text if isinstance(text, str) else "\n".join(message["content"] for message in text) for text in sample
    )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    in_bfloat16 = bfloat16_pays(device)
    model = new_model(recipe, tokenizer).to(device)
    optimizers = _optimizers(model, recipe)
    history, losses, began = [], [], time.perf_counter()
    fill = fill_rows(tokenizer, documents(recipe.seed + 1))
    for step in tqdm(range(recipe.n_steps), unit="step"):
        progress = max(step / recipe.n_steps, (time.perf_counter() - began) / (60 * recipe.minutes))
        if progress >= 1:
            break
        for group in (group for optimizer in optimizers for group in optimizer.param_groups):
            group["lr"] = group["full"] * _rate(progress, step)
        with torch.autocast(device, torch.bfloat16, enabled=in_bfloat16):
            block = recipe.block(progress)
            loss = _loss(model, [fill(block) for _ in range(recipe.step_tokens // block)])
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 50 == 0:
            history.append(_report(step, recipe, losses[-50:], began))
        if (step + 1) % 500 == 0:
            _save(model, tokenizer, output)
    _save(model, tokenizer, output)
    history.append(_report(len(losses) - 1, recipe, losses[-50:], began))
    record = {
        "recipe": asdict(recipe),
        "seconds": round(time.perf_counter() - began),
        "bfloat16": in_bfloat16,
        "history": history,
    }
    (output / "pretraining.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return output


def _save(model: "LlamaForCausalLM", tokenizer: "PreTrainedTokenizerFast", output: Path) -> None:
    from copy import deepcopy

    import torch

    output.mkdir(parents=True, exist_ok=True)
    model.generation_config.eos_token_id = tokenizer.convert_tokens_to_ids([END, END_OF_TEXT])
    deepcopy(model).to(dtype=torch.float16).save_pretrained(output)
    tokenizer.save_pretrained(output)
