"""Runs the notebooks in order, remembers how far it came, and resumes there. It shows nothing: ``progress`` does."""

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from course_utils.artifacts import STAGES, Course, notebook_of, write_json
from course_utils.errors import ArtifactError, ConfigurationError, DataError
from course_utils.kernel import execute_notebook
from course_utils.models import locate_model

if TYPE_CHECKING:
    from course_utils.progress import RunProgress


@dataclass
class StageState:
    """How far one notebook came: pending, running, stopped or done; ``seconds`` counts the kernel's start too."""

    status: str = "pending"
    seconds: float = 0.0


@dataclass
class RunState:
    """How far a run came, as ``artifacts/<profile>/run.json`` holds it."""

    profile: str
    data: str
    model: str
    stages: dict[str, StageState] = field(default_factory=lambda: {stage: StageState() for stage in STAGES})

    @property
    def is_finished(self) -> bool:
        """Whether all six notebooks are done."""
        return all(stage.status == "done" for stage in self.stages.values())


def check_course(course: Course, notebooks: Path) -> None:
    """Make sure, before anything runs, that the run can start.

    Raises:
        ConfigurationError: A notebook is not there.
        DataError: The dataset's folder is missing.
        ModelError: The base model's folder is missing, or nothing here or on the network has the model.
        ArtifactError: Nothing can be written where the artifacts go.
    """
    missing = [name for stage in STAGES if not (notebooks / (name := Path(notebook_of(stage)).name)).is_file()]
    if missing:
        raise ConfigurationError(f"{notebooks}: {', '.join(missing)} missing; run from a clone of the repository")
    if not course.data.is_dir():
        raise DataError(
            f"DATA={course.parameters['DATA']!r}: there is no folder {course.data}; name one in Spider's layout"
        )
    try:
        course.root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=course.root):
            pass
    except OSError as error:
        remedy = "set ARTIFACTS to a folder that you may write to"
        raise ArtifactError(f"{course.root}: cannot write there ({error.strerror}); {remedy}") from error
    locate_model(course.model)


def plan_stages(course: Course, first: str = "", only: str = "") -> tuple[str, ...]:
    """The stages to run: all, or what is left of a run that stopped midway with the same settings.

    With ``first``, those from this stage on, whatever the last run did; with ``only``, this stage alone.

    Raises:
        ConfigurationError: There is no such stage.
        ArtifactError: A stage before the chosen one has not run or does not match.
    """
    for name in filter(None, (first, only)):
        if name not in STAGES:
            raise ConfigurationError(f"there is no stage {name!r}; choose one of {', '.join(STAGES)}")
    chosen = only or first
    if chosen:
        for stage in STAGES[: STAGES.index(chosen)]:
            course.manifest(stage)
        return (only,) if only else STAGES[STAGES.index(first) :]
    state = load_state(course)
    done = [state.stages[stage].status == "done" and _is_current(course, stage) for stage in STAGES]
    return STAGES if state.is_finished else STAGES[[*done, False].index(False) :]


def run_stages(course: Course, stages: Sequence[str], progress: "RunProgress", notebooks: Path) -> RunState:
    """Execute the notebooks of ``stages``, each in a fresh kernel; stop at the first that fails.

    What earlier runs left for these stages counts as undone from here on.

    Raises:
        ArtifactError: Another run writes to the same artifacts, or a notebook ran to its end without
            finishing its stage.
        NotebookError: A cell failed.
    """
    try:
        with FileLock(course.root / "run.lock", timeout=0):
            return _run_stages(course, stages, progress, notebooks)
    except Timeout as error:
        remedy = "wait for it, or set another ARTIFACTS"
        raise ArtifactError(f"{course.root}: another run is at work there; {remedy}") from error


def _run_stages(course: Course, stages: Sequence[str], progress: "RunProgress", notebooks: Path) -> RunState:
    state = load_state(course)
    for stage in stages:
        state.stages[stage] = StageState()
        (course.folder(stage) / "manifest.json").unlink(missing_ok=True)
    (course.root / "report.json").unlink(missing_ok=True)
    for stage in stages:
        progress.started(stage)
        began = time.perf_counter()
        _save(course, state, stage, "running", 0.0)
        try:
            name = Path(notebook_of(stage)).name
            executed, on_cell = course.root / "notebooks" / name, partial(progress.cell, stage)
            execute_notebook(notebooks / name, executed, course.parameters, on_cell)
            course.manifest(stage)
        except BaseException:  # Ctrl-C too leaves a run that can be resumed
            _save(course, state, stage, "stopped", time.perf_counter() - began)
            raise
        seconds = time.perf_counter() - began
        _save(course, state, stage, "done", seconds)
        progress.finished(stage, seconds)
    for stage in STAGES[STAGES.index(stages[-1]) + 1 :]:
        if not _is_current(course, stage):
            _save(course, state, stage, "pending", 0.0)
    return state


def load_state(course: Course) -> RunState:
    """The state of the last run, or a fresh one where there is none or it had other settings."""
    fresh = RunState(course.profile.name, str(course.data), course.model)
    try:
        saved = json.loads((course.root / "run.json").read_text("utf-8"))
        stages = {stage: StageState(**saved["stages"][stage]) for stage in STAGES}
    except (OSError, ValueError, TypeError, KeyError):
        return fresh
    same = all(saved.get(name) == getattr(fresh, name) for name in ("profile", "data", "model"))
    return replace(fresh, stages=stages) if same else fresh


def _is_current(course: Course, stage: str) -> bool:
    """Whether a stage's manifest is there, belongs to this course and is not outdated."""
    try:
        course.manifest(stage)
    except ArtifactError:
        return False
    return True


def _save(course: Course, state: RunState, stage: str, status: str, seconds: float) -> None:
    state.stages[stage] = StageState(status, round(seconds, 1))
    write_json(course.root / "run.json", asdict(state))
