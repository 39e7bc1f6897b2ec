"""Estimate the memory that fine-tuning and generation take, before anything is loaded.

Every figure for memory in the course that is not measured comes from here. Parts of an estimate are in gigabytes
(10**9 bytes), as in the literature; needs of profiles and measurements are in GiB (2**30 bytes), as machines count.
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from course_utils.errors import ConfigurationError
from course_utils.models.catalogue import LLAMA_2_7B, ModelShape, find_shape
from course_utils.models.generation import READ_AT_ONCE
from course_utils.profiles import Profile, get_profile

Method = Literal["full", "lora", "lora_8bit", "qlora"]
METHODS: tuple[Method, ...] = get_args(Method)
PARTS = ("weights", "adapter", "gradients", "optimizer", "activations", "runtime")

BYTES_PER_WEIGHT: dict[Method, float] = {"full": 2.0, "lora": 2.0, "lora_8bit": 1.0, "qlora": 4.127 / 8}
"""Bytes per weight of the base model. 8 bits are LLM.int8 (Dettmers et al. 2022, arXiv 2208.07339). QLoRA's NF4 with
double quantisation takes 4.127 bits, with 0.127 for the scales (Dettmers et al. 2023, arXiv 2305.14314, section 3)."""
OPTIMIZER_BYTES = 6.0
"""Bytes per weight of AdamW under full fine-tuning: a copy of the weight and two moments, 2 bytes each, as in texts
that say 70 GB for 7B; a float32 copy with 8-bit moments takes the same. Classic mixed precision keeps all three in
float32, 12 bytes (Rajbhandari et al. 2020, arXiv 1910.02054, section 3.1)."""
ADAPTER_BYTES = 4.0
"""Bytes per adapter weight, per gradient and per AdamW moment of one: PEFT keeps adapters in float32."""
RUNTIME_GB = 0.6
"""Memory of Python with the training libraries before the first tensor (measured), about the same as CUDA's context."""
LOSS_TOKENS, LOSS_BYTES = 256, 20
"""TRL (since 1.0) computes the loss of this many labelled tokens at once; Unsloth of more if memory is free. For each
token and vocabulary entry, about five float32 numbers are in memory: logit, log-probability, two products, gradient."""
CPU_HEAP = {"full": 1.2, "lora": 2.0}
"""On a CPU, memory that the process holds divided by the size of the activations, because C's allocator keeps freed
blocks; measured by ``benchmarks/memory.py`` on models of 2.6 to 135 million parameters. With
``MALLOC_MMAP_THRESHOLD_=65536``, which returns every large block, it is 1."""
OWN_SHARE = 0.25
"""Share of a row's tokens that are its own question and query, if rows of a batch share their schema."""
GPU_MARGIN_GIB, MACHINE_MARGIN_GIB = 1, 2
"""Memory to add to an estimate: on a GPU for fragmentation and the display, else for the operating system, the browser
and the notebook."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Parts of an estimate in gigabytes (10**9 bytes); for ``"generation"``, activations include the KV cache."""

    method: Method | Literal["generation"]
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
    method: Method = "full",
    *,
    shape: ModelShape = LLAMA_2_7B,
    rank: int = 16,
    batch_size: int = 1,
    n_tokens: int = 512,
    optimizer_bytes: float | None = None,
    gradient_checkpointing: bool = True,
    offloads: bool = False,
    on_cpu: bool = False,
) -> MemoryEstimate:
    """Estimate the memory of training.

    With N parameters of the base model and A of the adapter:

    - weights = N * bytes per weight (2 in 16 bits, 1 in 8, 0.516 in 4); quantised, embeddings and head keep 16 bits
    - full: gradients = 2 N, optimizer = ``optimizer_bytes`` * N
    - LoRA: adapter = 4 A, gradients = 4 A, optimizer = 8 A
    - activations: see ``activation_bytes``

    ``on_cpu`` means float32: 4 bytes instead of 2 for 16-bit values, and 8 bytes per weight for the optimizer, because
    AdamW then keeps two moments and no copy. Activations take ``CPU_HEAP`` times their size. For a mixture of experts,
    N counts all experts: each must be in memory, although a token uses few.

    A forward pass has ``batch_size`` rows of ``n_tokens`` tokens; every linear layer has an adapter of ``rank``. For
    another model than Llama 2 7B, pass its ``shape``. ``optimizer_bytes`` is per weight; None stands for
    ``OPTIMIZER_BYTES``. ``gradient_checkpointing`` keeps one activation per layer and recomputes the others;
    ``offloads`` keeps that one in the machine's memory, as Unsloth does.

    Raises:
        ConfigurationError: The method is unknown, or a size is not positive.
    """
    if method not in METHODS:
        raise ConfigurationError(f"method {method!r} is unknown; choose one of {', '.join(METHODS)}")
    if min(n_parameters, rank, batch_size, n_tokens) <= 0:
        raise ConfigurationError("n_parameters, rank, batch_size and n_tokens must be above 0")
    wide = 4 if on_cpu else 2
    size = wide * BYTES_PER_WEIGHT[method] / 2 if method in ("full", "lora") else BYTES_PER_WEIGHT[method]
    unquantised = shape.n_embedding_parameters if size < 2 else 0
    full, trained = (n_parameters, 0.0) if method == "full" else (0.0, float(shape.n_adapter_parameters(rank)))
    if optimizer_bytes is None:
        optimizer_bytes = 2 * wide if on_cpu else OPTIMIZER_BYTES
    kept, momentary = activation_bytes(shape, batch_size * n_tokens, wide, checkpointing=gradient_checkpointing)
    heap = CPU_HEAP["full" if method == "full" else "lora"] if on_cpu else 1
    return MemoryEstimate(
        method=method,
        weights=((n_parameters - unquantised) * size + unquantised * wide) / 1e9,
        adapter=trained * ADAPTER_BYTES / 1e9,
        gradients=(full * wide + trained * ADAPTER_BYTES) / 1e9,
        optimizer=(full * optimizer_bytes + trained * 2 * ADAPTER_BYTES) / 1e9,
        activations=((0 if offloads else kept * heap) + momentary) / 1e9,
        runtime=RUNTIME_GB,
    )


def activation_bytes(
    shape: ModelShape, n_tokens: int, bytes_per_value: int, *, checkpointing: bool
) -> tuple[float, float]:
    """Bytes that the forward pass keeps for the backward pass, and the largest temporary amount beside them.

    Per token, one block keeps the inputs of its layers: about 6 vectors of the hidden size, queries, keys, values and
    the attention's output, and 4 of the feed-forward width (Korthikanti et al. 2022, arXiv 2205.05198, section 4, for a
    gated block whose attention matrix is never stored). With checkpointing only each block's input stays; temporary are
    one recomputed block or, earlier, the loss (``LOSS_TOKENS``), whichever is larger.
    """
    heads = shape.head_size * (2 * shape.n_heads + 2 * shape.n_kv_heads)
    block = n_tokens * bytes_per_value * (6 * shape.hidden_size + heads + 4 * shape.intermediate_size)
    loss = min(n_tokens, LOSS_TOKENS) * LOSS_BYTES * shape.vocab_size
    if checkpointing:
        return n_tokens * shape.n_layers * bytes_per_value * shape.hidden_size, max(block, loss)
    return shape.n_layers * block, loss


def profile_shape(profile: Profile) -> ModelShape:
    """The dimensions of a profile's base model; for an unknown Hub id, those of the profile's default model."""
    shape = find_shape(profile.base_model) or find_shape(get_profile(profile.name).base_model)
    assert shape is not None  # every profile's default model is in the catalogue, as a test checks
    return shape


def estimate_profile(profile: Profile, n_tokens: int | None = None) -> MemoryEstimate:
    """Estimate training under a profile, per device, on rows of ``n_tokens``; None stands for ``max_length``.

    Every kind of adapter counts as LoRA. Without a GPU there is no gradient checkpointing; ``share_prompts`` computes
    one schema per batch; layers without an adapter keep no activations; ``fsdp`` shards weights, gradients and moments
    across the profile's GPUs. Raises ModelError if the model's folder is unreadable.
    """
    shape, on_cpu = profile_shape(profile), profile.backend == "trl"
    n_trained = shape.n_layers if profile.method == "full" else profile.n_adapted(shape.n_layers)
    n_rows_read = 1 + (profile.batch_size - 1) * (OWN_SHARE if profile.share_prompts else 1)
    estimate = estimate_memory(
        shape.n_parameters,
        "qlora" if profile.load_in_4bit else "full" if profile.method == "full" else "lora",
        shape=replace(shape, n_layers=n_trained),
        rank=profile.lora_rank,
        n_tokens=round(n_rows_read * (n_tokens or profile.max_length)),
        gradient_checkpointing=not on_cpu,
        offloads=profile.backend == "unsloth",
        on_cpu=on_cpu,
    )
    if profile.backend != "fsdp":
        return estimate
    if profile.method == "full":  # FSDP keeps weights, gradients and moments in float32, as on a CPU
        size = 4 * shape.n_parameters / 1e9
        estimate = replace(estimate, weights=size, gradients=size, optimizer=2 * size)
    shared: dict[str, Any] = {part: getattr(estimate, part) / profile.n_gpus for part in PARTS[:4]}
    return replace(estimate, **shared)


def estimate_generation(profile: Profile) -> MemoryEstimate:
    """Estimate one batch of replies to the longest prompts; raises ModelError if the model's folder is unreadable.

    The model is not quantised, as in notebooks 1 and 5: 2 bytes per weight, or 4 on a CPU. The cache keeps keys and
    values of every token in every layer; while prompts are computed, one block's activations add to it, on a CPU those
    of ``READ_AT_ONCE`` tokens.
    """
    shape, size = profile_shape(profile), 2 if profile.n_gpus else 4
    n_cached = 2 * shape.n_layers * shape.n_kv_heads * shape.head_size * (profile.max_length + profile.max_new_tokens)
    n_read = profile.generation_batch_size * profile.max_length
    n_read = n_read if profile.n_gpus else min(n_read, READ_AT_ONCE)
    read, _ = activation_bytes(replace(shape, n_layers=1), n_read, size, checkpointing=False)
    activations = (profile.generation_batch_size * n_cached * size + read) / 1e9
    return MemoryEstimate("generation", shape.n_parameters * size / 1e9, 0, 0, 0, activations, RUNTIME_GB)


def wanted_gib(profile: Profile) -> int:
    """GiB that a profile needs, on each GPU or else on the machine: the larger estimate and the margin, rounded up."""
    larger = max(estimate_profile(profile).total_gib, estimate_generation(profile).total_gib)
    return math.ceil(larger + (GPU_MARGIN_GIB if profile.n_gpus else MACHINE_MARGIN_GIB))
