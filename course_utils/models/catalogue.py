"""The base models that the course knows, from ``catalogue.toml``, and the dimensions of any model folder.

With these dimensions, memory can be estimated and models chosen without a network.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from course_utils.errors import ModelError
from course_utils.files import is_local, read_json, read_toml, resolve


@dataclass(frozen=True)
class ModelShape:
    """Dimensions of a dense decoder-only transformer of the Llama type (Llama, Mistral, SmolLM2, Qwen3, Gemma 3)."""

    hidden_size: int
    n_layers: int
    intermediate_size: int  # width of the gated feed-forward layer
    n_heads: int
    n_kv_heads: int  # key and value heads, under grouped-query attention
    head_size: int
    vocab_size: int
    tied_embeddings: bool
    n_norms_per_layer: int = 2
    normalises_heads: bool = False  # norms on queries and keys, each with head_size weights

    @property
    def linear_sizes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) of the linear layers of one block: q, k, v, o, gate, up, down."""
        hidden, wide = self.hidden_size, self.intermediate_size
        heads, kv_heads = self.n_heads * self.head_size, self.n_kv_heads * self.head_size
        attention = ((hidden, heads), (hidden, kv_heads), (hidden, kv_heads), (heads, hidden))
        return (*attention, (hidden, wide), (hidden, wide), (wide, hidden))

    @property
    def n_embedding_parameters(self) -> int:
        """Parameters of the embedding and of the output head, unless the two are tied."""
        return self.vocab_size * self.hidden_size * (1 if self.tied_embeddings else 2)

    @property
    def n_parameters(self) -> int:
        """Number of all parameters of the model."""
        norms = self.n_norms_per_layer * self.hidden_size + 2 * self.head_size * self.normalises_heads
        block = sum(inputs * outputs for inputs, outputs in self.linear_sizes) + norms
        return self.n_embedding_parameters + self.n_layers * block + self.hidden_size

    def n_adapter_parameters(self, rank: int) -> int:
        """Parameters of a LoRA adapter on every linear layer.

        A layer of size (inputs, outputs) gets A of shape (rank, inputs) and B of shape (outputs, rank)
        (Hu et al. 2021, arXiv 2106.09685).
        """
        return self.n_layers * rank * sum(inputs + outputs for inputs, outputs in self.linear_sizes)


LLAMA_2_7B = ModelShape(4096, 32, 11_008, 32, 32, 128, 32_000, tied_embeddings=False)
"""The model that "a 7B" means in most texts; 6.74 billion parameters."""


@dataclass(frozen=True)
class KnownModel:
    """Facts from a model's card; ``catalogue.toml`` explains the fields."""

    hub_id: str
    size: str
    context: int
    licence: str
    gated: bool
    template: str
    shape: ModelShape
    note: str = ""
    mirrors: Sequence[str] = ()

    @property
    def card(self) -> str:
        """URL of the model card."""
        return f"https://huggingface.co/{self.hub_id}"


@cache
def known_models() -> dict[str, KnownModel]:
    """Every model of the catalogue by its Hub id."""
    entries = read_toml(__file__)
    shapes = {name: ModelShape(**facts.pop("shape")) for name, facts in entries.items()}
    return {name: KnownModel(name, shape=shapes[name], **facts) for name, facts in entries.items()}


def shapes_by_size() -> dict[str, ModelShape]:
    """The shapes of the catalogue by model name without the owner, in rising number of parameters."""
    by_size = sorted(known_models().values(), key=lambda known: known.shape.n_parameters)
    return {known.hub_id.split("/")[1]: known.shape for known in by_size}


def find_shape(model: str) -> ModelShape | None:
    """The shape of a model folder, of a known Hub id or one of its mirrors; None for an unknown Hub id.

    Raises:
        ModelError: The folder holds no readable config.json of this family.
    """
    if is_local(model):
        return read_shape(resolve(model))
    return next((known.shape for known in known_models().values() if model in (known.hub_id, *known.mirrors)), None)


def read_shape(folder: Path) -> ModelShape:
    """Read the shape from a model folder's ``config.json``; ModelError if missing or not of a Llama-like model."""
    path = folder / "config.json"
    try:
        config = read_json(path)
        config = config.get("text_config") or config  # the language part of a multimodal model
        if any("expert" in name and isinstance(value, int) and value > 1 for name, value in config.items()):
            raise ModelError(f"{path}: a mixture of experts, which the course cannot size; choose a dense model")
        kind = config.get("model_type") or ""
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        shape = ModelShape(
            hidden_size=hidden,
            n_layers=config["num_hidden_layers"],
            intermediate_size=config["intermediate_size"],
            n_heads=heads,
            n_kv_heads=config.get("num_key_value_heads") or heads,
            head_size=config.get("head_dim") or hidden // heads,
            vocab_size=config["vocab_size"],
            # Transformers omits defaults when it saves; Gemma's is to tie.
            tied_embeddings=config.get("tie_word_embeddings", kind.startswith("gemma")),
            n_norms_per_layer=4 if kind in ("gemma2", "gemma3_text") else 2,
            normalises_heads=kind in ("qwen3", "gemma3_text"),
        )
    except (OSError, ValueError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(f"{path}: cannot be read ({error}); point MODEL at a model saved by Transformers") from error
    except KeyError as error:
        raise ModelError(f"{path}: {error} is missing, so this is not a Llama-like model; choose another") from error
    if several := [name for name, size in asdict(shape).items() if not isinstance(size, int)]:
        raise ModelError(f"{path}: {several[0]} is not one whole number for all layers; choose a Llama-like model")
    return shape
