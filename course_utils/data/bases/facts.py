"""What the model cards say of small base models that a course, a laptop or one GPU can fine-tune.

Read in November 2026 from each model's card and ``config.json``; nothing here is measured by us.
"""

from dataclasses import dataclass

from course_utils.models.shapes import ModelShape

HUB = "https://huggingface.co/"


@dataclass(frozen=True, kw_only=True)
class Base:
    """One model with its facts; instruction-tuned, because the course needs a chat template."""

    hub_id: str
    size: str
    """As the card writes it."""
    n_parameters: int
    """From the dimensions below, each tensor counted once."""
    hidden_size: int
    n_layers: int
    intermediate_size: int
    n_heads: int
    n_kv_heads: int
    head_size: int
    vocab_size: int
    tied_embeddings: bool
    n_norms_per_layer: int = 2
    normalises_heads: bool = False
    """Queries and keys, by one weight per head dimension."""
    context: int
    """Tokens, without stretching positions."""
    licence: str
    template: str
    """One of ``tokens.templates.FAMILIES``."""
    gated: bool
    """Whether the Hub asks you to accept terms under your name before it gives the weights."""
    note: str = ""

    @property
    def card(self) -> str:
        """Where the facts come from."""
        return HUB + self.hub_id

    @property
    def shape(self) -> ModelShape:
        """The dimensions that a memory estimate needs."""
        return ModelShape(
            hidden_size=self.hidden_size,
            n_layers=self.n_layers,
            intermediate_size=self.intermediate_size,
            n_heads=self.n_heads,
            n_kv_heads=self.n_kv_heads,
            head_size=self.head_size,
            vocab_size=self.vocab_size,
            tied_embeddings=self.tied_embeddings,
            n_norm_parameters_per_layer=self.n_norms_per_layer * self.hidden_size
            + 2 * self.head_size * self.normalises_heads,
        )


def _smollm2(size: str, n: int, hidden: int, layers: int, wide: int, heads: int, kv_heads: int) -> Base:
    return Base(
        hub_id=f"HuggingFaceTB/SmolLM2-{size}-Instruct",
        size=size,
        n_parameters=n,
        hidden_size=hidden,
        n_layers=layers,
        intermediate_size=wide,
        n_heads=heads,
        n_kv_heads=kv_heads,
        head_size=64,
        vocab_size=49_152,
        tied_embeddings=True,
        context=8192,
        licence="Apache-2.0",
        template="smollm",
        gated=False,
    )


def _qwen3(
    name: str, size: str, n: int, hidden: int, layers: int, wide: int, heads: int, context: int = 32_768
) -> Base:
    return Base(
        hub_id=f"Qwen/Qwen3-{name}",
        size=size,
        n_parameters=n,
        hidden_size=hidden,
        n_layers=layers,
        intermediate_size=wide,
        n_heads=heads,
        n_kv_heads=8,
        head_size=128,
        vocab_size=151_936,
        tied_embeddings=hidden < 4096,
        normalises_heads=True,
        context=context,
        licence="Apache-2.0",
        template="qwen",
        gated=False,
        note="never thinks; its template has no <think> block" if "2507" in name else "thinks unless told not to",
    )


def _llama3(version: str, size: str, card: str, n: int, hidden: int, layers: int, wide: int, heads: int) -> Base:
    return Base(
        hub_id=f"meta-llama/Llama-{version}-{size}-Instruct",
        size=card,
        n_parameters=n,
        hidden_size=hidden,
        n_layers=layers,
        intermediate_size=wide,
        n_heads=heads,
        n_kv_heads=8,
        head_size=hidden // heads,
        vocab_size=128_256,
        tied_embeddings=version == "3.2",
        context=131_072,
        licence=f"Llama {version} Community",
        template="llama3",
        gated=True,
    )


def _gemma3(
    name: str, size: str, n: int, hidden: int, layers: int, wide: int, heads: int, kv_heads: int, vocab: int, note: str
) -> Base:
    return Base(
        hub_id=f"google/gemma-3-{name}-it",
        size=size,
        n_parameters=n,
        hidden_size=hidden,
        n_layers=layers,
        intermediate_size=wide,
        n_heads=heads,
        n_kv_heads=kv_heads,
        head_size=256,
        vocab_size=vocab,
        tied_embeddings=True,
        n_norms_per_layer=4,
        normalises_heads=True,
        context=131_072 if name == "4b" else 32_768,
        licence="Gemma Terms of Use",
        template="gemma",
        gated=True,
        note=note,
    )


_END = "set eos_token to <end_of_turn> before training"
_ALL = (
    _smollm2("135M", 134_515_008, 576, 30, 1536, 9, 3),
    _smollm2("360M", 361_821_120, 960, 32, 2560, 15, 5),
    _smollm2("1.7B", 1_711_376_384, 2048, 24, 8192, 32, 32),
    _qwen3("0.6B", "0.6B", 596_049_920, 1024, 28, 3072, 16),
    _qwen3("1.7B", "1.7B", 1_720_574_976, 2048, 28, 6144, 16),
    _qwen3("4B-Instruct-2507", "4.0B", 4_022_468_096, 2560, 36, 9728, 32, 262_144),
    _qwen3("8B", "8.2B", 8_190_735_360, 4096, 36, 12_288, 32),
    _llama3("3.2", "1B", "1.23B", 1_235_814_400, 2048, 16, 8192, 32),
    _llama3("3.2", "3B", "3.21B", 3_212_749_824, 3072, 28, 8192, 24),
    _llama3("3.1", "8B", "8B", 8_030_261_248, 4096, 32, 14_336, 32),
    _gemma3("270m", "270M", 268_098_176, 640, 18, 2048, 4, 1, 262_144, _END),
    _gemma3("1b", "1B", 999_885_952, 1152, 26, 6912, 4, 1, 262_144, _END),
    _gemma3("4b", "4B", 3_880_263_168, 2560, 34, 10_240, 8, 4, 262_208, f"{_END}; 0.4B more for pictures"),
    Base(
        hub_id="microsoft/Phi-4-mini-instruct",
        size="3.8B",
        n_parameters=3_836_021_760,
        hidden_size=3072,
        n_layers=32,
        intermediate_size=8192,
        n_heads=24,
        n_kv_heads=8,
        head_size=128,
        vocab_size=200_064,
        tied_embeddings=True,
        context=131_072,
        licence="MIT",
        template="phi",
        gated=False,
    ),
    Base(
        hub_id="mistralai/Mistral-7B-Instruct-v0.3",
        size="7B",
        n_parameters=7_248_023_552,
        hidden_size=4096,
        n_layers=32,
        intermediate_size=14_336,
        n_heads=32,
        n_kv_heads=8,
        head_size=128,
        vocab_size=32_768,
        tied_embeddings=False,
        context=32_768,
        licence="Apache-2.0",
        template="mistral",
        gated=False,
        note="the system message opens the last user turn",
    ),
)
BASES = {base.hub_id: base for base in _ALL}
"""By Hub id."""
