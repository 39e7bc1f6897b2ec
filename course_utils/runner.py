"""Run the notebooks in order, resume where a run stopped, and write the report; ``terminal`` displays both."""

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.artifacts import STAGES, Course, notebook_of
from course_utils.errors import ArtifactError, ConfigurationError, DataError
from course_utils.files import is_local, read_json, write_json
from course_utils.kernel import Kernels, Position, execute_notebook
from course_utils.models import locate_model
from course_utils.models.hub import explain_loading
from course_utils.setup import probe_machine

if TYPE_CHECKING:
    from course_utils.terminal import RunProgress

LOADS = (
    *("pandas", "matplotlib.pyplot", "statsmodels.stats.multitest"),
    *("transformers.models.llama.modeling_llama", "peft", "trl.trainer.sft_trainer"),
)
"""Modules that kernels import ahead, because they take seconds; the last one only for notebooks that train. On GPUs
kernels import none of them, because Unsloth must be imported first. They begin at half of the notebook before: beside
a computation on all cores nothing is saved, and the second half of notebook 4 occupies only one."""
HEADLINES = (
    "base_execution_accuracy best_prompt_execution_accuracy tuned_execution_accuracy tuned_execution_accuracy_unseen "
    "n_test train_examples_per_s train_tokens_per_s peak_memory_gib gguf_parity"
).split()
"""Results that a report lists first."""


def check_course(course: Course, notebooks: Path) -> None:
    """Check, before any notebook runs, that its inputs exist and its results can be written.

    Raises:
        ConfigurationError: A notebook is missing.
        DataError: The dataset's folder is missing.
        ModelError: The base model's folder is missing, or no cache, Hub or package index provides the model.
        ArtifactError: The artifacts' folder is not writable, or the dataset or the base model lies in a folder that
            a stage empties.
    """
    missing = [name for stage in STAGES if not (notebooks / (name := Path(notebook_of(stage)).name)).is_file()]
    if missing:
        raise ConfigurationError(f"{notebooks}: {', '.join(missing)} missing; run from a clone of the repository")
    if not course.data.is_dir():
        named = f"DATA={course.parameters['DATA']!r}"
        raise DataError(f"{named}: there is no folder {course.data}; name one in Spider's layout")
    for stage in STAGES:
        course.check_place(stage)
    try:
        course.root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=course.root).close()
    except OSError as error:
        remedy = "set ARTIFACTS to a folder that you may write to"
        raise ArtifactError(f"{course.root}: cannot write there ({error.strerror}); {remedy}") from error
    if not is_local(name := locate_model(course.model)):
        from huggingface_hub import hf_hub_download

        with explain_loading(name, "model"):
            hf_hub_download(name, "config.json")


def plan_stages(course: Course, first: str = "", until: str = STAGES[-1]) -> tuple[str, ...]:
    """The stages to run, up to and including ``until``.

    They begin at ``first`` or, if it is empty, where the last run with these settings stopped, else at the beginning.

    Raises:
        ConfigurationError: There is no such stage, or ``until`` comes before the stage to begin at.
        ArtifactError: A stage before the one to begin at has not run or does not match.
    """
    for chosen in filter(None, (first, until)):
        if chosen not in STAGES:
            raise ConfigurationError(f"there is no stage {chosen!r}; choose one of {', '.join(STAGES)}")
    start, end = STAGES.index(first) if first else _count_done(course), STAGES.index(until) + 1
    for stage in STAGES[:start]:
        course.manifest(stage)
    if start >= end:
        raise ConfigurationError(
            f"the run would start at {STAGES[start]}, after {until}; choose a later stage to end with"
        )
    return STAGES[start:end]


def _count_done(course: Course) -> int:
    """How many stages an interrupted run finished on the present dataset (1 if it has changed); 0 after a full run."""
    seconds = load_seconds(course)
    done = [stage in seconds and _is_current(course, stage) for stage in STAGES]
    if done[1]:
        done[1] = course.manifest(STAGES[1]).inputs.get("DATA") == course.data_state()
    return 0 if len(seconds) == len(STAGES) else [*done, False].index(False)


def run_stages(
    course: Course, stages: Sequence[str], progress: "RunProgress", notebooks: Path, tag: str = ""
) -> dict[str, float]:
    """Execute the notebooks of ``stages``, each in a fresh kernel; stop at the first that fails.

    Deletes the manifests of ``stages`` and the report of earlier runs first. Returns ``load_seconds`` without stages
    whose results are outdated. ``tag`` restricts the cells as in ``execute_notebook``; empty runs all.

    Raises:
        ArtifactError: Another run writes to the same artifacts, or a notebook ran to its end without
            finishing its stage.
        NotebookError: A cell failed or its kernel died.
    """
    with course.lock(), Kernels(notebooks) as kernels:
        for stage in stages:
            (course.folder(stage) / "manifest.json").unlink(missing_ok=True)
        (course.root / "report.json").unlink(missing_ok=True)
        seconds = _save(course, {stage: each for stage, each in load_seconds(course).items() if stage not in stages})
        for stage in stages:

            def on_cell(position: Position, stage: str = stage) -> None:
                progress.cell(stage, position)
                if stage != stages[-1] and 2 * position.number > position.n_cells:
                    kernels.prepare(() if course.profile.n_gpus else LOADS if stage in STAGES[:2] else LOADS[:-1])

            progress.started(stage)
            began, name = time.perf_counter(), Path(notebook_of(stage)).name
            executed = course.root / "notebooks" / name
            execute_notebook(notebooks / name, executed, course.parameters, on_cell, kernels.take(), tag)
            course.manifest(stage)
            seconds = _save(course, seconds | {stage: round(time.perf_counter() - began, 1)})
            progress.finished(stage, seconds[stage])
        return _save(course, {stage: each for stage, each in seconds.items() if _is_current(course, stage)})


def load_seconds(course: Course) -> dict[str, float]:
    """Wall-clock seconds of each notebook that ran to its end with these settings, by stage."""
    try:
        saved = read_json(course.root / "run.json")
        return dict(saved["seconds"]) if saved["course"] == course.identity else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _save(course: Course, seconds: dict[str, float]) -> dict[str, float]:
    write_json(course.root / "run.json", {"course": course.identity, "seconds": seconds})
    return seconds


def _is_current(course: Course, stage: str) -> bool:
    """Whether a stage's manifest exists, belongs to this course and is not outdated."""
    with suppress(ArtifactError):
        return bool(course.manifest(stage))
    return False


def write_report(course: Course, took: Mapping[str, float]) -> dict[str, Any]:
    """Merge the six manifests and ``took``, the seconds of each notebook, into ``report.json``, and return it.

    Raises:
        ArtifactError: A stage has not run or does not match.
    """
    manifests = [course.manifest(stage) for stage in STAGES]
    merged = {name: value for manifest in manifests for name, value in manifest.results.items()}
    merged["peak_memory_gib"] = max(manifest.results["peak_memory_gib"] for manifest in manifests)
    seconds, machine = {stage: took[stage] for stage in STAGES}, probe_machine()
    hardware = {"cpu": machine.cpu, "cores": machine.n_cores, "memory_gib": machine.memory_gib}
    hardware |= {"gpu": ", ".join(map(str, machine.gpus)) or None}
    report = {
        "profile": course.profile.name,
        "machine": hardware | {"python": machine.python, "platform": machine.os},
        "seconds": seconds | {"total": round(sum(seconds.values()), 1)},
        "results": {name: merged.pop(name) for name in HEADLINES if name in merged} | merged,
    }
    write_json(course.root / "report.json", report)
    return report
