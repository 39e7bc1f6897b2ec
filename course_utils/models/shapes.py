"""The dimensions of the course's base models: what memory estimates are computed from."""

import json
from dataclasses import dataclass
from pathlib import Path

from course_utils.artifacts import is_local, resolve
from course_utils.errors import ModelError


@dataclass(frozen=True)
class ModelShape:
    """A decoder-only transformer of the Llama family (Llama, Mistral, SmolLM2, Qwen3).

    ``intermediate_size`` is the width of the gated feed-forward layer, ``n_kv_heads`` the number of
    key and value heads under grouped-query attention.
    """

    hidden_size: int
    n_layers: int
    intermediate_size: int
    n_heads: int
    n_kv_heads: int
    head_size: int
    vocab_size: int
    tied_embeddings: bool
    n_norm_parameters_per_layer: int

    @property
    def linear_sizes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of the linear layers of one block: q, k, v, o, gate, up, down."""
        hidden, wide = self.hidden_size, self.intermediate_size
        heads, kv_heads = self.n_heads * self.head_size, self.n_kv_heads * self.head_size
        return (
            (hidden, heads),
            (hidden, kv_heads),
            (hidden, kv_heads),
            (heads, hidden),
            (hidden, wide),
            (hidden, wide),
            (wide, hidden),
        )

    @property
    def n_embedding_parameters(self) -> int:
        """Parameters of the embedding and, where it is not tied to it, of the output head."""
        return self.vocab_size * self.hidden_size * (1 if self.tied_embeddings else 2)

    @property
    def n_parameters(self) -> int:
        """Every parameter of the model."""
        block = sum(inputs * outputs for inputs, outputs in self.linear_sizes) + self.n_norm_parameters_per_layer
        return self.n_embedding_parameters + self.n_layers * block + self.hidden_size

    def n_adapter_parameters(self, rank: int) -> int:
        """Parameters of a LoRA adapter on every linear layer.

        A layer of size (inputs, outputs) gets A of shape (rank, inputs) and B of shape (outputs, rank)
        (Hu et al. 2021, arXiv 2106.09685).
        """
        return self.n_layers * rank * sum(inputs + outputs for inputs, outputs in self.linear_sizes)


def _llama(hidden: int, layers: int, wide: int, heads: int, kv_heads: int, vocab: int, *, tied: bool) -> ModelShape:
    return ModelShape(hidden, layers, wide, heads, kv_heads, hidden // heads, vocab, tied, 2 * hidden)


def _qwen3(hidden: int, layers: int, wide: int, heads: int, kv_heads: int, *, tied: bool) -> ModelShape:
    # Qwen3 also normalises queries and keys, each with one weight per head dimension.
    return ModelShape(hidden, layers, wide, heads, kv_heads, 128, 151_936, tied, 2 * hidden + 2 * 128)


LLAMA_2_7B = _llama(4096, 32, 11_008, 32, 32, 32_000, tied=False)
"""The model that "a 7B" means in most texts; 6.74 billion parameters."""

SHAPES = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": _llama(576, 30, 1536, 9, 3, 49_152, tied=True),
    "unsloth/Qwen3-0.6B": _qwen3(1024, 28, 3072, 16, 8, tied=True),
    "unsloth/Qwen3-4B-Instruct-2507": _qwen3(2560, 36, 9728, 32, 8, tied=True),
    "unsloth/Meta-Llama-3.1-8B-Instruct": _llama(4096, 32, 14_336, 32, 8, 128_256, tied=False),
    "Qwen/Qwen3-8B": _qwen3(4096, 36, 12_288, 32, 8, tied=False),
}
"""From each model's config.json on the Hugging Face Hub, so that an estimate needs no network."""


def find_shape(model: str) -> ModelShape | None:
    """The shape of a model folder or of a known Hub id; None for an unknown Hub id.

    Raises:
        ModelError: The folder holds no readable config.json of this family.
    """
    return read_shape(resolve(model)) if is_local(model) else SHAPES.get(model)


def read_shape(folder: Path) -> ModelShape:
    """Read the shape from a model folder's ``config.json``.

    Raises:
        ModelError: There is none, or it is not of a Llama-like model.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text("utf-8"))
        heads, hidden = config["num_attention_heads"], config["hidden_size"]
        head_size = config.get("head_dim") or hidden // heads
        extra = 2 * head_size if config.get("model_type") == "qwen3" else 0
        return ModelShape(
            hidden_size=hidden,
            n_layers=config["num_hidden_layers"],
            intermediate_size=config["intermediate_size"],
            n_heads=heads,
            n_kv_heads=config.get("num_key_value_heads") or heads,
            head_size=head_size,
            vocab_size=config["vocab_size"],
            tied_embeddings=config.get("tie_word_embeddings", False),
            n_norm_parameters_per_layer=2 * hidden + extra,
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); point MODEL at a model saved by Transformers") from error
    except KeyError as error:
        raise ModelError(f"{path}: {error} is missing, so this is not a Llama-like model; choose another") from error
