"""Supervised fine-tuning: one call from rows to a trained model, by any method, on any backend; or the whole stage.

An unfinished run keeps its checkpoints beside its output, so that the same call resumes after the process was killed.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from course_utils.artifacts import TRACKING, UNFINISHED, Course, package_versions
from course_utils.errors import OutOfMemoryError, TrainingError
from course_utils.files import fingerprint, hash_of, read_json, read_jsonl, resolve, write_json, write_jsonl
from course_utils.models import choose_device, load_tokenizer
from course_utils.models.generation import check_tokens
from course_utils.models.hub import is_out_of_memory
from course_utils.network import disable_telemetry
from course_utils.profiles import IN_PROFILE, Profile
from course_utils.tables import value_table
from course_utils.tasks import text_to_sql
from course_utils.training.backends import load_trainable
from course_utils.training.diagnosis import Diagnosis, diagnose
from course_utils.training.examples import TrainingData, tokenize_rows
from course_utils.training.launch import launch, n_launched, read_options
from course_utils.training.shared_prompts import can_share
from course_utils.training.tracking import chosen_trackers, tracking

WRITE_ERRORS = ("inline_container", "I/O error")
"""Parts of PyTorch's and safetensors' messages when a write fails, as on a full disk."""
LOGGED = ("step", "epoch", "loss", "eval_loss", "learning_rate")
"""The fields of the trainer's log that are kept; its token counts are wrong for shared prompts."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """The outcome of ``train_sft``.

    ``history`` holds one record per logging step, with ``step``, ``epoch`` and either ``loss`` and ``learning_rate``
    (training) or ``eval_loss`` (validation); the first record is the base model's validation loss, at step 0. Losses
    are mean cross-entropy in nats per token with a label; lower is better. If rows do not share prompts, the validation
    loss is the mean of the batches' means, as in TRL.
    """

    adapter: Path = field(repr=False)
    history: list[dict[str, float]] = field(repr=False)
    n_steps: int
    n_examples: int
    """Rows read by this call, counted again in each epoch; a resumed run counts from its checkpoint on."""
    n_tokens: int
    """Tokens of these rows, without padding. A prefix that rows share counts for each of them, so that speeds with and
    without ``share_prompts`` can be compared."""
    seconds: float
    """Wall-clock time of training and its evaluations, in this call."""
    n_trainable_parameters: int
    kept_step: int | None = None
    """The step with the lowest validation loss, whose weights were kept; None if the last ones were."""

    @property
    def final_validation_loss(self) -> float:
        """The validation loss of the weights that were kept."""
        measured = {record["step"]: record["eval_loss"] for record in self.history if "eval_loss" in record}
        return measured[max(measured) if self.kept_step is None else self.kept_step]

    @property
    def diagnosis(self) -> Diagnosis:
        """The diagnosis of the run's losses."""
        return diagnose(self.history)

    def results(self) -> dict[str, Any]:
        """Numbers for the manifest."""
        return {
            "n_steps": self.n_steps,
            "train_examples_per_s": round(self.n_examples / self.seconds, 2),
            "train_tokens_per_s": round(self.n_tokens / self.seconds, 1),
            "final_validation_loss": round(self.final_validation_loss, 4),
            "n_trainable_parameters": self.n_trainable_parameters,
        }

    def _repr_html_(self) -> str:
        return value_table({"seconds": round(self.seconds)} | self.results())._repr_html_()


def train_sft(profile: Profile, data: TrainingData, output: Path) -> TrainingResult:
    """Train the profile's ``base_model`` on completions, by its ``method``; save what was trained with the tokenizer.

    The loss on at most ``profile.max_validation_rows`` of the validation rows is measured before the first step and
    up to ``profile.n_evaluations`` times in the run, the last time after the last step. Each time in the run a
    checkpoint is written beside ``output``. After the process was killed, the same call resumes from the last one and
    ends with the same weights, or with ones that differ by rounding if another number of cores is free; then the
    checkpoints are removed. If memory runs out, the run starts over with half the rows per pass and twice the passes.

    ``backend="fsdp"`` runs one process for each GPU of this machine. The processes share the rows of a step, so that
    the effective batch size stays the profile's. ``backend="unsloth"`` runs in a process of its own, because Unsloth
    patches Transformers and PEFT so that other models could no longer generate. ``load_model(model, adapter=output)``
    loads the result: an adapter, or the whole model under ``method="full"``.

    Raises:
        ConfigurationError: The machine lacks what the profile needs.
        MissingExtraError: Unsloth, bitsandbytes or a tracker is needed but not installed.
        DataError: Rows are longer than ``profile.max_length`` or have no label.
        ModelError: The base model is missing or incomplete, or the rows hold tokens that it does not know.
        TrainingError: The loss is NaN or infinite, the model or one row does not fit into memory, or the disk is full.
    """
    if profile.backend == "trl" or n_launched() > 1:
        return train_here(profile, data, output)
    config = "fsdp" if profile.backend == "fsdp" else ""
    launched = train_apart(config, (), profile, data, output)
    assert launched is not None, "launch returns None only on other machines, and here is one machine"
    return launched


def train_apart(
    config: str, options: Sequence[str], profile: Profile, data: TrainingData, output: Path
) -> TrainingResult | None:
    """Do the work of ``train_sft`` in the processes of ``launch``, whose arguments and errors it shares.

    If memory runs out in one of them, all start over with half the rows per pass, unless other machines take part.
    """
    while True:
        try:
            return launch(config, options, train_here, profile, data, output.resolve())
        except OutOfMemoryError:
            if (read_options(options).num_machines or 1) > 1:  # each would have to be told
                raise
            profile = _halve_batch(profile)


def train_here(profile: Profile, data: TrainingData, output: Path) -> TrainingResult:
    """Do the work of ``train_sft`` in this process, for any backend."""
    from accelerate import PartialState  # type: ignore[import-untyped]

    profile = profile.with_batch_size(profile.batch_size, -(-profile.effective_batch_size // n_launched()))
    data = replace(data, validation=data.validation.spread(profile.max_validation_rows))
    data.train.check("train", profile.max_length)
    data.validation.check("validation", profile.max_length)
    disable_telemetry()
    folder, result = _unfinished_folder(profile, data, output), None
    with tracking(chosen_trackers(profile.track), output.parent / TRACKING):
        while result is None:
            try:
                result = _train(profile, data, output, folder / str(profile.batch_size))
            except Exception as error:
                if any(words in str(error) for words in WRITE_ERRORS):
                    found = f"{output}: weights cannot be written there or beside it ({error})"
                    raise TrainingError(f"{found}; free some space, and the same call resumes") from error
                if not is_out_of_memory(error):
                    raise
                profile = _halve_batch(profile)
    if PartialState().is_main_process:
        shutil.rmtree(folder)
        if not any(folder.parent.iterdir()):
            folder.parent.rmdir()
    return result


def train_stage(course: Course, config: str = "", options: Sequence[str] = ()) -> TrainingResult | None:
    """Run the training stage on the data stage's files, by ``launch`` if ``config`` is given; write its artifacts.

    Returns None on any machine but the first.

    Raises:
        ArtifactError: The data stage has not run, or another run is writing the same artifacts.
        CourseError: As for ``launch`` and ``train_sft``.
    """
    is_first = not (config and read_options(options).machine_rank)
    with course.lock() if is_first else nullcontext():  # only the first machine writes the artifacts
        stage = course.begin("training") if is_first else None
        tokenizer, max_length = load_tokenizer(course.model), course.profile.max_length
        task = text_to_sql(read_json(course.output("data", "schemas.json")))
        train, validation = (
            tokenize_rows(tokenizer, read_jsonl(course.output("data", f"{split}.jsonl")), task, max_length)
            for split in ("train", "validation")
        )
        profile = course.profile.fit_to(len(train.examples))
        call = (profile, TrainingData(train, validation), course.folder("training") / "adapter")
        result = train_apart(config, options, *call) if config else train_sft(*call)
        if stage and result:
            write_jsonl(stage.folder / "history.jsonl", result.history)
            counts = {"n_rows_too_long": len(train.too_long), "n_supervised_tokens": train.n_supervised_tokens}
            stage.finish(result.results() | counts)
        return result


def _unfinished_folder(profile: Profile, data: TrainingData, output: Path) -> Path:
    """A folder beside ``output``, named by a hash of all that decides the weights: profile, model, rows, versions."""
    parts = (data.train.examples, data.validation.examples)
    encoded = [[(row.input_ids, row.completion_mask) for row in part] for part in parts]
    place = str(output.resolve())  # part of the hash, because a checkpoint names the best one by its path
    decides = [fingerprint(resolve(profile.base_model)), place, package_versions(), encoded]
    return output.resolve().parent / UNFINISHED / hash_of([asdict(replace(profile, track="")), *decides])[:16]


def _last_checkpoint(folder: Path) -> tuple[Path | None, float]:
    """The newest complete checkpoint and its epoch, or None and 0.0; incomplete checkpoints are removed.

    A checkpoint is complete if it has the trainer's state, which is written last (``Trainer._save_checkpoint``).
    """
    whole = []
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            state = read_json(checkpoint / "trainer_state.json")
            whole.append((state["global_step"], checkpoint, state["epoch"]))
        except (OSError, ValueError, KeyError):
            shutil.rmtree(checkpoint, ignore_errors=True)  # another process may remove it at the same time
    _, newest, epoch = max(whole, default=(0, None, 0.0))
    return newest, epoch


def _halve_batch(profile: Profile) -> Profile:
    """The profile with half the rows per pass and as many per step; raises TrainingError if that is impossible."""
    found = f"PROFILE={profile.name!r}: a pass with batch_size={profile.batch_size} does not fit into memory"
    remedy = f'lower batch_size or max_length or set method="qlora" {IN_PROFILE}, or choose a smaller MODEL'
    if profile.batch_size == 1:
        raise TrainingError(f"{found}; {remedy}")
    if n_launched() > 1:  # the other processes would wait for this one, so ``train_apart`` starts all over
        raise OutOfMemoryError(f"{found}; {remedy}")
    smaller = profile.with_batch_size(profile.batch_size // 2)
    retry = "out of memory: starting over with %d rows per pass, and as many per step as before"
    logger.warning(retry, smaller.batch_size)
    return smaller


def _load(profile: Profile, halves: bool | None) -> Any:
    """Call ``load_trainable``; if memory runs out here, raise TrainingError, because a smaller batch cannot help."""
    try:
        return load_trainable(profile, profile.base_model, halves)
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        remedy = f'set method="qlora" {IN_PROFILE}, end other programs that hold memory, or choose a smaller MODEL'
        raise TrainingError(f"{profile.base_model}: the model alone does not fit into memory; {remedy}") from error


def _train(profile: Profile, data: TrainingData, output: Path, folder: Path) -> TrainingResult:
    from accelerate.utils.memory import clear_device_cache  # type: ignore[import-untyped]

    if choose_device().value != "cpu":  # on a CPU the trainer collects garbage itself, before it needs much memory
        clear_device_cache(garbage_collection=True)
    halves = folder / "bfloat16.json"  # kept for a resumed run: probed again, the CPU may seem faster in the other
    trainable, tokenizer = _load(profile, read_json(halves) if halves.is_file() else None)
    check_tokens(trainable, tokenizer, [row.input_ids for row in data.train.examples + data.validation.examples])
    from peft.helpers import disable_input_dtype_casting  # only now, because Unsloth must be imported before PEFT

    from course_utils.training.trainer import make_trainer

    if profile.share_prompts and not can_share(trainable, profile.max_length):
        slower = "%s: rows cannot share prompts in this model, so each row is read alone, which is slower"
        logger.warning(slower, profile.base_model)
        profile = replace(profile, share_prompts=False)
    n_trainable = trainable.num_parameters(only_trainable=True)  # before FSDP shards the weights
    checkpoint, began_at = _last_checkpoint(folder)
    trainer = make_trainer(profile, trainable, tokenizer, folder, checkpoint is not None, data.train, data.validation)
    write_json(halves, trainer.args.use_cpu and trainer.args.bf16)
    is_plain = profile.method in ("lora", "rslora")  # IA3 has no casts to disable, and DoRA's norms need float32
    began = time.perf_counter()
    with disable_input_dtype_casting(trainable, active=is_plain and trainer.args.use_cpu and trainer.args.bf16):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    seconds = time.perf_counter() - began
    if trainer.args.should_save:
        for other in ("adapter_config.json", "config.json"):  # of an earlier run: loading tells by them what there is
            (output / other).unlink(missing_ok=True)
    trainer.save_model(str(output))  # in every process, because each may hold a part of the weights
    trainer.accelerator.wait_for_everyone()  # before checkpoints are removed, which another process may still read
    log, epochs = trainer.state.log_history, trainer.state.epoch - began_at
    return TrainingResult(
        adapter=output,
        history=[{k: record[k] for k in LOGGED if k in record} for record in log if "train_runtime" not in record],
        n_steps=trainer.state.global_step,
        n_examples=round(len(data.train.examples) * epochs),
        n_tokens=round(data.train.n_tokens * epochs),
        seconds=seconds,
        n_trainable_parameters=n_trainable,
        kept_step=None if profile.patience is None else trainer.state.best_global_step,
    )
