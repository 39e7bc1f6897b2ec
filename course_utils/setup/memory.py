"""How much memory fine-tuning takes, before anything is loaded.

An estimate for planning, in gigabytes of 10**9 bytes, as texts on the subject count: right to a
gigabyte or so for a 7B model. What a run really took is in its manifest, in GiB of 2**30 bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

from course_utils.errors import ConfigurationError
from course_utils.figures import course_style, new_axes
from course_utils.models.catalogue import LLAMA_2_7B, ModelShape, find_shape
from course_utils.profiles import Profile

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Method = Literal["full", "lora", "qlora_8bit", "qlora_4bit"]
METHODS: tuple[Method, ...] = get_args(Method)
PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "runtime")

BYTES_PER_WEIGHT: dict[Method, float] = {"full": 2.0, "lora": 2.0, "qlora_8bit": 1.0, "qlora_4bit": 4.127 / 8}
"""Of the base model. NF4 with double quantisation takes 4.127 bits: 4, and 0.127 for the scales
(Dettmers et al. 2023, arXiv 2305.14314, section 3)."""
OPTIMIZER_BYTES = 6.0
"""AdamW for full fine-tuning in 16 bits: a master copy and two moments, 2 bytes each. With all three
in float32, the classic mixed precision, it is 12 (Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1)."""
ADAPTER_BYTES = 4.0
"""PEFT keeps adapters, and so their gradients and both AdamW moments, in float32."""
RUNTIME_GB = 0.5
"""What a CUDA context, or Python with PyTorch on a CPU, takes before the first tensor."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Parts in gigabytes (10**9 bytes); ``gradients`` and ``optimizer`` are those of what is trained."""

    method: Method
    weights: float
    adapter: float
    gradients: float
    optimizer: float
    activations: float
    runtime: float

    @property
    def total_gb(self) -> float:
        """Sum of the parts in GB, 10**9 bytes."""
        return float(sum(getattr(self, part) for part in PARTS))

    @property
    def total_gib(self) -> float:
        """Sum of the parts in GiB, 2**30 bytes, as GPUs and operating systems count."""
        return self.total_gb * 1e9 / 2**30


def estimate_memory(
    n_parameters: float,
    method: str = "full",
    *,
    shape: ModelShape | None = None,
    rank: int = 16,
    batch_size: int = 1,
    n_tokens: int = 512,
    bytes_per_weight: float | None = None,
    optimizer_bytes: float = OPTIMIZER_BYTES,
    gradient_checkpointing: bool = True,
    stored_logits: bool = True,
) -> MemoryEstimate:
    """Estimate the memory of training.

    With N parameters, of which the adapter has A:

    - weights = N * bytes per weight (2 in 16 bits, 1 in 8, 0.516 in 4); quantised models keep
      embeddings and output head in 16 bits
    - full: gradients = 2 N, optimizer = 6 N
    - LoRA: adapter = 4 A, gradients = 4 A, optimizer = 8 A
    - activations: see ``activation_bytes``

    For a mixture of experts, N counts all experts: each must be in memory, though a token uses few.

    Args:
        n_parameters: Of the whole model, such as ``7e9``.
        method: One of ``METHODS``.
        shape: The model's dimensions; without it, Llama-2-7B's scaled to ``n_parameters``.
        rank: Of the LoRA adapter, which sits on every linear layer.
        batch_size: Rows in one forward pass.
        n_tokens: Tokens of a row.
        bytes_per_weight: Instead of the method's own, such as 4 for float32 on a CPU.
        optimizer_bytes: Per parameter under full fine-tuning.
        gradient_checkpointing: Keep one activation per layer and compute the others again.
        stored_logits: The loss holds every token's logits at once; Unsloth's works in slices.

    Raises:
        ConfigurationError: The method is unknown, or a size is not positive.
    """
    known = next((name for name in METHODS if name == method), None)
    if known is None:
        raise ConfigurationError(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if min(n_parameters, rank, batch_size, n_tokens) <= 0:
        raise ConfigurationError("n_parameters, rank, batch_size and n_tokens must be above 0")
    shape = shape or scale_shape(n_parameters)
    size = BYTES_PER_WEIGHT[known] if bytes_per_weight is None else bytes_per_weight
    quantised = n_parameters - shape.n_embedding_parameters if known.startswith("qlora") else n_parameters
    trained = 0.0 if known == "full" else float(shape.n_adapter_parameters(rank))
    full = n_parameters if known == "full" else 0.0
    computed_in = 4 if bytes_per_weight == 4 else 2
    n_vectors = batch_size * n_tokens
    activations = activation_bytes(shape, n_vectors, computed_in, checkpointing=gradient_checkpointing)
    activations += n_vectors * 2 * 4 * shape.vocab_size if stored_logits else 0
    return MemoryEstimate(
        method=known,
        weights=(quantised * size + (n_parameters - quantised) * 2) / 1e9,
        adapter=trained * ADAPTER_BYTES / 1e9,
        gradients=(full * 2 + trained * ADAPTER_BYTES) / 1e9,
        optimizer=(full * optimizer_bytes + trained * 2 * ADAPTER_BYTES) / 1e9,
        activations=activations / 1e9,
        runtime=RUNTIME_GB,
    )


def activation_bytes(shape: ModelShape, n_tokens: int, bytes_per_value: int, *, checkpointing: bool) -> float:
    """What the forward pass keeps for the backward pass.

    Per token, one block keeps the inputs of its layers: about 6 vectors of the hidden size, queries,
    keys, values and the attention's output, and 4 of the feed-forward width (Korthikanti et al. 2022,
    arXiv 2205.05198, section 4, for a gated block whose attention matrix is never stored). With
    checkpointing only each block's input stays, plus one whole block while it is computed again. Logits
    and their gradient, 8 bytes per token and word of the vocabulary in float32, come on top.
    """
    heads = shape.head_size * (2 * shape.n_heads + 2 * shape.n_kv_heads)
    block = bytes_per_value * (6 * shape.hidden_size + heads + 4 * shape.intermediate_size)
    kept = shape.n_layers * bytes_per_value * shape.hidden_size + block if checkpointing else shape.n_layers * block
    return float(n_tokens * kept)


def scale_shape(n_parameters: float) -> ModelShape:
    """Llama-2-7B's shape, deeper and wider by one factor; about ``n_parameters`` from a billion on."""
    factor = (n_parameters / LLAMA_2_7B.n_parameters) ** (1 / 3)
    n_heads = max(1, round(LLAMA_2_7B.n_heads * factor))
    return replace(
        LLAMA_2_7B,
        hidden_size=n_heads * LLAMA_2_7B.head_size,
        n_layers=max(1, round(LLAMA_2_7B.n_layers * factor)),
        intermediate_size=round(LLAMA_2_7B.intermediate_size * factor),
        n_heads=n_heads,
        n_kv_heads=n_heads,
    )


def estimate_profile(profile: Profile, n_tokens: int | None = None) -> MemoryEstimate | None:
    """What training takes under a profile on one device; None where the model's size is not known.

    Without a GPU the weights are float32 and nothing is computed twice; ``fsdp`` shares weights out
    over the profile's GPUs.

    Args:
        profile: Model, method and sizes.
        n_tokens: Tokens of a row; the profile's ``max_length``, the most there can be, if left out.

    Raises:
        ModelError: The profile's model folder is unreadable.
    """
    shape = find_shape(profile.base_model)
    if shape is None:
        return None
    on_cpu = profile.backend == "trl"
    estimate = estimate_memory(
        shape.n_parameters,
        "qlora_4bit" if profile.load_in_4bit else "lora",
        shape=shape,
        rank=profile.lora_rank,
        batch_size=profile.batch_size,
        n_tokens=n_tokens or profile.max_length,
        bytes_per_weight=4.0 if on_cpu else None,
        gradient_checkpointing=not on_cpu,
        stored_logits=profile.backend != "unsloth",
    )
    if profile.backend == "fsdp":
        return replace(estimate, weights=estimate.weights / profile.n_gpus)
    return estimate


@course_style
def plot_memory(estimates: Sequence[MemoryEstimate], limits_gb: Sequence[float] = (8, 16, 24)) -> "Axes":
    """Draw what each method's memory is made of, one bar a method.

    Args:
        estimates: One per method.
        limits_gb: Sizes of graphics memory to mark with dashed lines, in GB.
    """
    totals = {estimate.method: estimate.total_gb for estimate in estimates}
    most, least = max(totals, key=totals.__getitem__), min(totals, key=totals.__getitem__)
    title = f"Training takes {totals[most]:.1f} GB by {most} and {totals[least]:.1f} GB by {least}"
    axes = new_axes(title, height=2 + 0.5 * len(estimates))
    behind = {"facecolor": "white", "linewidth": 0, "pad": 1}
    left = [0.0] * len(estimates)
    for part, hatch in zip(PARTS, ("", "///", "..", "\\\\\\", "xx", "oo"), strict=True):
        widths = [getattr(estimate, part) for estimate in estimates]
        axes.barh(list(totals), widths, left=left, label=part, hatch=hatch, edgecolor="white", linewidth=0.5)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:.1f} ", va="center", bbox=behind)
    for limit in limits_gb:
        axes.axvline(limit, color="black", linestyle="--", linewidth=1)
        axes.text(limit, -0.6, f"{limit:g} GB", ha="center", bbox=behind)
    axes.set(xlim=(0, max([*left, *limits_gb]) * 1.1), ylim=(len(estimates) - 0.4, -0.8))
    axes.set_xlabel("memory for training (GB)")
    axes.legend(ncols=3, loc="lower right", frameon=True)
    return axes
