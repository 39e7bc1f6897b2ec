"""The runs that ``training`` compares: TRL's stock trainer, ``train_sft``, and ``train_sft`` without each gain."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

from course_utils.artifacts import open_course
from course_utils.data import prepare_dataset
from course_utils.models import load_model, load_tokenizer
from course_utils.models.load import Choice, choose_product_dtype
from course_utils.profiles import Profile
from course_utils.prompts import EncodedExample
from course_utils.tasks import text_to_sql
from course_utils.training import TokenizedRows, TrainingData, adapter_config, backends, sft, tokenize_rows, trainer
from course_utils.training.arguments import _SEPARATE, _SHARED
from course_utils.training.shared_prompts import collate_shared, count_labels, label_loss, share_prompts

if TYPE_CHECKING:
    from datasets import Dataset

N_ROUNDS = 2
"""How often each run is repeated, all in turn; two are what eight minutes hold on two cores."""
N_VALIDATION = 32
STOCK, OURS = "TRL's SFTTrainer as it comes", "train_sft"
Off = Callable[[], AbstractContextManager[Any]]


@dataclass(frozen=True)
class Inputs:
    """What the runs of a profile have in common."""

    profile: Profile
    model: str
    batches: "Dataset"
    """All batches that training makes of the profile's rows in an epoch."""
    by_ids: dict[tuple[int, ...], EncodedExample]
    """The rows by their tokens."""
    validation: TokenizedRows


def measure_profile(name: str, n_steps: int, n_seeds: int, switches: bool) -> dict[str, Any]:
    """The runs of one profile: stock, ours and, with ``switches``, without each gain and the losses by seed."""
    with tempfile.TemporaryDirectory() as folder, _in_order():
        inputs = _prepare(name, n_steps, Path(folder))
        products = choose_product_dtype(load_model(inputs.model).config.hidden_size).value
        runs: dict[str, tuple[dict[str, Any], Off] | None] = {STOCK: None, OURS: ({}, nullcontext)}
        runs |= gains(inputs.profile, products) if switches else {}
        found: dict[str, list[dict[str, Any]]] = {label: [] for label in runs}
        rows = _spread(inputs, n_steps)
        for _ in range(N_ROUNDS):
            for label, switch in runs.items():
                found[label].append(_run(inputs, rows, switch, Path(folder) / "run"))
        best = {label: _least(rounds) for label, rounds in found.items()}
        more: dict[str, Any] = {}
        if switches:
            more["losses_by_seed"] = _losses_by_seed(inputs, rows, n_seeds, Path(folder) / "run")
            more["evaluation"] = _evaluation(inputs, Path(folder))
        return {"n_steps": n_steps, "n_rounds": N_ROUNDS, "runs": best, **more}


def gains(profile: Profile, products: str) -> dict[str, tuple[dict[str, Any], Off]]:
    """What makes ``train_sft`` fast with this profile: for each gain the fields and the patches that undo it."""
    other = "float32" if products == "bfloat16" else "bfloat16"
    probed = mock.Mock(return_value=Choice(other, "for comparison"))
    found: dict[str, tuple[dict[str, Any], Off]] = {
        "a schema read once, and what needs it: the next two": ({"share_prompts": False}, nullcontext),
        "logits at labels alone, and once": ({}, lambda: mock.patch.dict(_SHARED, loss_type="chunked_nll")),
        "attention by plain products, in chunks": ({}, lambda: mock.patch.object(trainer, "use_chunks")),
        f"products in {products}, not {other}": (
            {},
            lambda: mock.patch.object(backends, "choose_product_dtype", probed),
        ),
        "AdamW fused": ({}, lambda: mock.patch.dict(_SHARED, optim="adamw_torch")),
    }
    if products == "bfloat16":
        casts = mock.Mock(return_value=nullcontext())
        found["leaving out casts of PEFT"] = {}, lambda: mock.patch("peft.helpers.disable_input_dtype_casting", casts)
        patch = mock.patch.object(backends, "_fit_frozen_matrices", _fit_all_but_the_head)
        found["the output head in bfloat16"] = {}, lambda: patch
    if profile.adapted_share < 1:
        found["adapters on the last layers alone"] = {"adapted_share": 1.0}, nullcontext
    return found


_fit_frozen_matrices = backends._fit_frozen_matrices


def _fit_all_but_the_head(base: Any, halves: bool | None = None) -> None:
    """Make frozen matrices bfloat16, but leave the output head float32 and tied to the embeddings."""
    _fit_frozen_matrices(base, halves)
    base.get_output_embeddings().weight = base.get_input_embeddings().weight


def _prepare(name: str, n_steps: int, folder: Path) -> Inputs:
    course = open_course(name, artifacts=str(folder))
    prepared, tokenizer = prepare_dataset(course, course.folder("data")), load_tokenizer(course.model)
    train, validation = (
        tokenize_rows(tokenizer, rows, text_to_sql(prepared.schemas), course.profile.max_length)
        for rows in (prepared.train, prepared.validation)
    )
    profile = replace(course.profile, max_steps=n_steps, n_evaluations=1, patience=None, loraplus_ratio=1.0)
    by_ids = {tuple(row.input_ids): row for row in train.examples}
    batches = share_prompts(train.examples, profile.batch_size, profile.seed)
    return Inputs(profile, course.model, batches, by_ids, validation.spread(profile.max_validation_rows))


def _spread(inputs: Inputs, n_steps: int) -> list[EncodedExample]:
    """The rows of ``n_steps`` batches, spread evenly over all."""
    step = len(inputs.batches) // n_steps
    chosen = inputs.batches.select(range(0, n_steps * step, step))
    return [row for batch in chosen for row in rows_of(batch, inputs.by_ids)]


def rows_of(batch: dict[str, list[int]], by_ids: dict[tuple[int, ...], EncodedExample]) -> list[EncodedExample]:
    """The rows that ``share_prompts`` put into a batch, found by their tokens."""
    owners = list(zip(batch["row_ids"], batch["input_ids"], strict=True))
    numbers = range(1, max(batch["row_ids"]) + 1)
    return [by_ids[tuple(token for owner, token in owners if owner in (0, number))] for number in numbers]


def _run(
    inputs: Inputs, rows: list[EncodedExample], switch: tuple[dict[str, Any], Off] | None, folder: Path
) -> dict[str, Any]:
    """Train once: the processor time and the time of each step but the first, their rows, and the validation loss then.

    Who shares no prompts gets the rows in the order of the shared batches, always ``batch_size`` at once.
    """
    changes, off = switch or ({"share_prompts": False}, nullcontext)
    profile = replace(inputs.profile, **changes)
    batches = [rows_of(b, inputs.by_ids) for b in share_prompts(rows, profile.batch_size, profile.seed)]
    ordered = rows if profile.share_prompts else [row for batch in batches for row in batch]
    with step_seconds() as busy, step_seconds(time.perf_counter) as passed, off():
        (_ours if switch else _stock)(profile, inputs.model, TokenizedRows(ordered, []), folder)
    n_rows = len(rows) - (len(batches[0]) if profile.share_prompts else profile.batch_size)
    loss = _loss(inputs.model, folder, inputs.validation)
    return {"busy": busy, "passed": passed, "n_rows": n_rows, "validation_loss": round(loss, 4)}


def _losses_by_seed(inputs: Inputs, rows: list[EncodedExample], n_seeds: int, folder: Path) -> dict[str, list[float]]:
    """The validation losses of stock and of ours with each seed, because at high rates rounding alone moves them."""
    each = [replace(inputs, profile=replace(inputs.profile, seed=seed)) for seed in range(n_seeds)]
    switches: dict[str, tuple[dict[str, Any], Off] | None] = {STOCK: None, OURS: ({}, nullcontext)}
    return {
        label: [_run(seeded, rows, switch, folder)["validation_loss"] for seeded in each]
        for label, switch in switches.items()
    }


def _least(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Times by the quickest of all rounds at each step, because other programs only ever add to them."""
    busy, passed = (sum(map(min, zip(*(each[clock] for each in rounds), strict=True))) for clock in ("busy", "passed"))
    n_rows, loss = rounds[0]["n_rows"], rounds[0]["validation_loss"]
    speeds = {"ms_per_row": round(1000 * busy / n_rows, 1), "rows_per_s": round(n_rows / passed, 2)}
    return speeds | {"validation_loss": loss}


def _loss(model: str, adapter: Path, rows: TokenizedRows) -> float:
    """The loss of ``N_VALIDATION`` rows, in nats per token with a label."""
    import torch

    loaded, batches = load_model(model, adapter=adapter), share_prompts(rows.spread(N_VALIDATION).examples, 16)
    with torch.inference_mode():
        return sum(float(label_loss(loaded, collate_shared([b]), 1.0)) for b in batches) / count_labels(batches)


def _stock(profile: Profile, model: str, train: TokenizedRows, folder: Path) -> None:
    from peft import get_peft_model
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    base, n_steps = load_model(model), profile.max_steps or 0
    set_seed(profile.seed)
    beta_1, beta_2 = profile.adam_betas
    settings = SFTConfig(
        output_dir=str(folder),
        use_cpu=True,
        per_device_train_batch_size=profile.batch_size,
        max_steps=n_steps,
        learning_rate=profile.learning_rate,
        adam_beta1=beta_1,
        adam_beta2=beta_2,
        warmup_steps=min(profile.warmup_steps, n_steps // 10),
        max_length=profile.max_length,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        save_strategy="no",
        report_to="none",
        seed=profile.seed,
    )
    stock = SFTTrainer(
        model=get_peft_model(base, adapter_config(profile, base.config.num_hidden_layers)),
        args=settings,
        train_dataset=train.to_dataset().remove_columns("length"),
        processing_class=load_tokenizer(model),
    )
    stock.train()
    stock.save_model(str(folder))


def _ours(profile: Profile, model: str, train: TokenizedRows, folder: Path) -> None:
    few = replace(train, examples=train.examples[:1])  # the trainer's own validation is not timed, so one row is enough
    sft.train_sft(replace(profile, base_model=str(model)), TrainingData(train, few), folder)


def _evaluation(inputs: Inputs, folder: Path) -> dict[str, float]:
    """The processor seconds of one evaluation, and how many of them and of rows the profile's training has."""
    from peft.helpers import disable_input_dtype_casting

    profile = open_course(inputs.profile.name, artifacts=str(folder)).profile
    trainable, tokenizer = backends.load_trainable(profile, inputs.model)
    parts = [TokenizedRows([*inputs.by_ids.values()][:1], []), inputs.validation]
    whole = trainer.make_trainer(replace(profile, patience=None), trainable, tokenizer, folder / "run", True, *parts)
    with disable_input_dtype_casting(trainable, active=whole.args.bf16):
        whole.evaluate()
        began = time.process_time()
        whole.evaluate()
        seconds = round(time.process_time() - began, 2)
    n_rows, n_rows_read = len(inputs.validation.examples), round(len(inputs.by_ids) * profile.epochs)
    counts = {"n_rows": n_rows, "n_evaluations": 1 + profile.n_evaluations, "n_rows_read": n_rows_read}
    return counts | {"seconds": seconds}


@contextmanager
def _in_order() -> Iterator[None]:
    """Let ``train_sft`` take rows in the order that they have."""
    order = {"train_sampling_strategy": "sequential"}
    with mock.patch.dict(_SHARED, order), mock.patch.dict(_SEPARATE, order):
        yield


@contextmanager
def step_seconds(clock: Callable[[], float] = time.process_time) -> Iterator[list[float]]:
    """A list that fills with the seconds between optimizer steps, of processor time if no other clock is given."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    ends: list[float] = []
    seconds: list[float] = []

    def note(*_: object) -> None:
        ends.append(clock())
        seconds.extend([ends[-1] - ends[-2]] if ends[1:] else [])

    hook = register_optimizer_step_post_hook(note)
    try:
        yield seconds
    finally:
        hook.remove()
