"""The table of profiles: one name sets every size of the course, from a first tour on a CPU to several GPUs.

A profile names the base model, the training backend and the sizes; it is configuration and does no work. Change one
value with ``dataclasses.replace(profile, epochs=1)``.
"""

from dataclasses import dataclass, fields, replace
from functools import partial
from math import inf
from types import NoneType
from typing import Literal, get_args

from course_utils.errors import ConfigurationError

Backend = Literal["trl", "unsloth", "fsdp"]
"""The training library; "fsdp" is TRL with one process per GPU, across which Accelerate shards weights and rows."""

Method = Literal["full", "lora", "qlora", "dora", "rslora", "ia3"]
"""The weights to train: all of them ("full") or an adapter of this kind; "qlora" is LoRA on a 4-bit base model."""

Tracker = Literal["", "tensorboard", "mlflow", "wandb"]
"""The experiment tracker that is told of every training run; "" for nobody."""

Preset = Literal["conservative", "balanced", "aggressive"]
PRESETS = {"conservative": (8, 0.5, 2.0, 4), "balanced": (16, 1.0, 3.0, 8), "aggressive": (64, 2.5, 5.0, 16)}
"""Starting points for new rows: (LoRA rank, factor of the profile's learning rate, epochs, rows per step)."""

IN_PROFILE = "in the profile (course_utils/profiles.py, or dataclasses.replace)"
"""The place to change a setting, in the words of error messages."""

MAX_EPOCHS = 30.0
"""The most epochs that ``Profile.fit_to`` sets, because a model memorises rows that it reads more often."""

_ADAM_BETAS = (0.9, 0.999)


@dataclass(frozen=True)
class Profile:
    """Every setting that depends on the machine."""

    name: str
    purpose: str
    base_model: str
    """A folder of this repository or a name on the Hugging Face Hub."""
    backend: Backend = "trl"
    needs_hub: bool = True
    """Whether the base model is on the Hugging Face Hub; if False, ``open_course`` keeps libraries off the network."""
    n_gpus: int = 0
    seed: int = 0

    # Data; a dataset's own selection of rows for this profile, samples/<name>.json, takes precedence
    difficulties: tuple[str, ...] | None = None
    """Difficulties of the rows to keep, from ``files.DIFFICULTIES``; None keeps every row."""
    max_train_rows: int | None = None
    max_test_rows: int | None = None
    max_length: int = 1024
    """Most tokens of prompt and completion together; longer rows are dropped and counted, not truncated."""

    # Training
    method: Method = "lora"
    lora_rank: int = 16
    lora_alpha: int = 16
    adapted_share: float = 1.0
    """Share of the layers that get an adapter, counted from the last one; earlier layers need no gradients."""
    learning_rate: float = 2e-4
    loraplus_ratio: float = 1.0
    """Learning rate of an adapter's matrix B divided by that of A, ``learning_rate`` (LoRA+); 1 is plain LoRA."""
    adam_betas: tuple[float, float] = _ADAM_BETAS
    """AdamW's decay rates for the means of gradients and of squared gradients; smaller ones forget sooner."""
    epochs: float = 3.0
    min_steps: int = 0
    """Optimizer steps to reach on few rows: ``fit_to`` adds epochs for them, up to ``MAX_EPOCHS``."""
    max_steps: int | None = None
    """Optimizer steps that replace ``epochs``, so that runs on different rows do equal work; None uses ``epochs``."""
    experiment_s: float | None = None
    """Seconds that a notebook's experiment may take: it is cut short or shown as recorded; None sets no limit."""
    batch_size: int = 4
    """Rows in one forward pass."""
    share_prompts: bool = False
    """Fill each batch with rows about one database and compute its schema once: faster, with the same losses."""
    gradient_accumulation: int = 4
    """Forward passes per optimizer step."""
    warmup_steps: int = 10
    n_evaluations: int = 6
    """How often in a training run the validation loss is measured and a checkpoint written."""
    max_validation_rows: int | None = None
    """Most validation rows on which training measures the loss, spread evenly over the split; None takes all."""
    patience: int | None = 2
    """Evaluations without a lower validation loss before training stops and keeps the best weights; None
    trains to the end and keeps the last ones."""
    track: Tracker = ""
    """Where settings and losses go besides the result; TensorBoard and MLflow write to ``tracking`` beside it."""

    # Generation
    generation_batch_size: int = 8
    """Prompts in one batch; on a GPU, a batch of the longest must fit beside the 16-bit model."""
    max_new_tokens: int = 128

    @property
    def load_in_4bit(self) -> bool:
        """Whether the base model is kept in 4 bits while it is trained and evaluated."""
        return self.method == "qlora"

    def with_preset(self, name: Preset) -> "Profile":
        """Return the profile with one of ``PRESETS``, and ``lora_alpha`` as much larger or smaller as the rank."""
        rank, rate_factor, epochs, n_rows = PRESETS[name]
        alpha, rate = max(1, round(rank * self.lora_alpha / self.lora_rank)), self.learning_rate * rate_factor
        changed = replace(self, lora_rank=rank, lora_alpha=alpha, epochs=epochs, learning_rate=rate)
        return changed.with_batch_size(self.batch_size, n_rows)

    def fit_to(self, n_rows: int) -> "Profile":
        """Return the profile with enough epochs for ``min_steps`` on ``n_rows`` training rows, 1 or more.

        With more epochs, AdamW gets its default betas: few rows that come again and again need no optimizer that
        forgets quickly (``benchmarks/laptop.md``).
        """
        steps_per_epoch = -(-n_rows // self.effective_batch_size)
        epochs = min(MAX_EPOCHS, round(self.min_steps / steps_per_epoch, 1))
        return self if epochs <= self.epochs else replace(self, epochs=epochs, adam_betas=_ADAM_BETAS)

    def n_adapted(self, n_layers: int) -> int:
        """How many of a model's ``n_layers`` get an adapter: the last ones, at least 1."""
        return max(1, round(self.adapted_share * n_layers))

    @property
    def effective_batch_size(self) -> int:
        """Rows per optimizer step on one device."""
        return self.batch_size * self.gradient_accumulation

    def with_batch_size(self, most: int, effective: int | None = None) -> "Profile":
        """Return the profile with the largest batch up to ``most`` that divides ``effective`` (None: its own size)."""
        rows = effective or self.effective_batch_size
        size = next(size for size in range(min(rows, most), 0, -1) if rows % size == 0)
        return replace(self, batch_size=size, gradient_accumulation=rows // size)

    def __post_init__(self) -> None:
        whole = [each.name for each in fields(self) if each.type in (int, int | None)]
        wrong = [f"{name} must be a whole number" for name in whole if type(getattr(self, name)) not in (int, NoneType)]
        wrong += [f"{name} must be above 0" for name in _POSITIVE if not _is_positive(getattr(self, name))]
        wrong += [f"{name} must be 0 or more" for name in _COUNTS if type(n := getattr(self, name)) is int and n < 0]
        unfit = [name for name in _LIMITS if not ((limit := getattr(self, name)) is None or _is_positive(limit))]
        wrong += [f"{name} must be above 0, or None for no limit" for name in unfit]
        if not (_is_positive(self.learning_rate) and self.learning_rate < 1):
            wrong.append("learning_rate must be between 0 and 1")
        if not (_is_positive(self.adapted_share) and self.adapted_share <= 1):
            wrong.append("adapted_share must be above 0 and 1 at most")
        if not all(_is_positive(beta) and beta < 1 for beta in self.adam_betas):
            wrong.append("adam_betas must be between 0 and 1")
        for name, known in (("method", Method), ("backend", Backend), ("track", Tracker)):
            if getattr(self, name) not in get_args(known):
                wrong.append(f"{name} must be one of {', '.join(filter(None, get_args(known)))}")
        if self.method in ("dora", "ia3") and self.backend == "unsloth":
            wrong.append('method must be full, lora, qlora or rslora for this backend; set backend="trl" for others')
        if self.share_prompts and self.backend != "trl":
            wrong.append("share_prompts must be False for this backend, whose attention takes no such mask")
        if wrong:
            found = [f"{text}, not {getattr(self, text.split()[0])!r}" for text in wrong]
            raise ConfigurationError(f"profile {self.name!r}: {'; '.join(found)}; see course_utils/profiles.py")


_POSITIVE = (
    "max_length lora_rank lora_alpha loraplus_ratio epochs batch_size gradient_accumulation n_evaluations "
    "generation_batch_size max_new_tokens"
).split()
_COUNTS = "seed warmup_steps min_steps n_gpus".split()
_LIMITS = "max_train_rows max_test_rows max_validation_rows max_steps experiment_s patience".split()


def _is_positive(value: object) -> bool:
    """Whether a value is a finite number above 0; text such as ``"2e-4"`` from a command line is not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < inf


_on_one_gpu = partial(Profile, backend="unsloth", n_gpus=1, method="qlora", max_length=2048, min_steps=50)
PROFILES = {
    profile.name: profile
    for profile in (
        Profile(
            name="smoke",
            purpose="first tour, tests, CI: no GPU, no network",
            base_model="data/tiny_base",
            needs_hub=False,
            difficulties=("easy", "medium"),
            max_train_rows=1500,
            max_test_rows=240,
            max_length=512,
            adapted_share=0.75,
            learning_rate=4e-3,
            epochs=1.7,
            min_steps=150,
            batch_size=8,
            share_prompts=True,
            gradient_accumulation=1,
            n_evaluations=3,
            generation_batch_size=48,  # five batches of test rows, enough to compare the speed of models
            max_new_tokens=96,
        ),
        Profile(
            name="laptop",
            purpose="any laptop, a real pretrained model",
            base_model="HuggingFaceTB/SmolLM2-135M-Instruct",
            difficulties=("easy", "medium"),
            max_train_rows=5600,
            max_test_rows=100,
            max_length=384,  # a step of the longest rows still fits a machine of 8 GB
            adapted_share=2 / 3,
            learning_rate=5e-4,
            loraplus_ratio=12.0,
            adam_betas=(0.8, 0.95),
            epochs=1.5,
            min_steps=50,
            experiment_s=90.0,
            batch_size=8,
            share_prompts=True,
            gradient_accumulation=1,
            n_evaluations=3,
            max_validation_rows=64,
            patience=None,  # the loss of freely worded rows rises while answers still get better
            generation_batch_size=32,
            max_new_tokens=72,  # the longest query of its training rows has 67
        ),
        _on_one_gpu("gpu_8gb", "a GPU with 8 GB", "unsloth/Qwen3-0.6B"),
        _on_one_gpu("gpu_16gb", "a GPU with 16 GB, such as Colab's T4", "unsloth/Qwen3-4B-Instruct-2507"),
        _on_one_gpu("gpu_24gb", "a GPU with 24 GB", "unsloth/Meta-Llama-3.1-8B-Instruct"),
        Profile(
            name="multi_gpu",
            purpose="more than one GPU or machine",
            base_model="Qwen/Qwen3-8B",
            backend="fsdp",
            n_gpus=2,
            max_length=2048,
            min_steps=50,
            batch_size=2,
            gradient_accumulation=8,
        ),
    )
}


def get_profile(name: str) -> Profile:
    """Look a profile up by name; raises ConfigurationError, which lists the names, if there is no such profile."""
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(f"PROFILE={name!r} is unknown; choose one of {', '.join(PROFILES)}") from None
