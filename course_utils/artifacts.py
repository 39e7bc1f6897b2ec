"""Where results live, and how one stage hands them to the next: ``artifacts/<profile>/<stage>/manifest.json``.

``open_course`` returns a ``Course``. ``Course.begin`` checks the manifests of earlier stages, empties the stage's
folder and returns a ``StageRun``, whose ``finish`` writes the stage's own manifest.
"""

import os
import resource
import shutil
import sys
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from course_utils.errors import ArtifactError
from course_utils.files import fingerprint, hash_of, is_local, portable, read_json, resolve, sha256, write_json
from course_utils.network import bypass_proxy, disable_telemetry, use_hub
from course_utils.profiles import Profile, get_profile

STAGES = ("setup", "data", "training", "evaluation", "deployment", "monitoring")
PARAMETERS = {"PROFILE": "smoke", "DATA": "data", "MODEL": "", "ARTIFACTS": "artifacts"}
"""The notebooks' parameters and their defaults."""
UNFINISHED = "unfinished"
"""Subfolder of a stage for checkpoints: it survives until the stage finishes, so that a killed run can be resumed."""
TRACKING = "tracking"
"""Subfolder of a stage for experiment trackers: it is never emptied, because a tracker may hold its files open."""
RECORDED_PACKAGES = "torch transformers trl peft datasets accelerate tokenizers unsloth xllamacpp".split()


def notebook_of(stage: str) -> str:
    """The notebook that runs a stage: ``notebooks/02_data.ipynb``."""
    return f"notebooks/{STAGES.index(stage) + 1:02d}_{stage}.ipynb"


@dataclass(frozen=True)
class Manifest:
    """The record of a finished stage, the content of its ``manifest.json``.

    ``outputs`` maps each file in the stage's folder to its SHA-256; ``inputs`` maps each file of earlier stages, as
    ``<stage>/<file>``, to the same. The data stage's ``inputs`` hold ``Course.data_state`` as ``DATA``. ``data`` and
    ``model`` are relative paths where they lie in the project, so that a moved checkout keeps its results.
    """

    stage: str
    profile: str
    data: str
    model: str
    model_fingerprint: str
    seconds: float
    packages: dict[str, str]
    inputs: dict[str, str]
    outputs: dict[str, str]
    results: dict[str, Any]


@dataclass(frozen=True)
class Course:
    """One run of the course: a profile with its base model, a dataset and a folder for the results."""

    profile: Profile
    data: Path
    root: Path
    """``ARTIFACTS/<profile>``, which holds one folder per stage."""

    @property
    def model(self) -> str:
        """The base model: the absolute path of a folder, or a Hub id."""
        return str(resolve(self.profile.base_model)) if is_local(self.profile.base_model) else self.profile.base_model

    @cached_property
    def identity(self) -> dict[str, str]:
        """The manifest fields that must be equal in all results of this course."""
        places = {"data": portable(self.data), "model": portable(self.model)}
        return {"profile": self.profile.name, **places, "model_fingerprint": fingerprint(resolve(self.model))}

    @property
    def parameters(self) -> dict[str, str]:
        """The notebooks' parameters that select this course."""
        model, own = portable(self.model), get_profile(self.profile.name).base_model
        places = {"DATA": portable(self.data), "MODEL": "" if model == own else model}
        return {"PROFILE": self.profile.name, **places, "ARTIFACTS": portable(self.root.parent)}

    def folder(self, stage: str) -> Path:
        """The folder of a stage; it may not exist yet."""
        return self.root / stage

    def data_state(self) -> str:
        """A hash of the names, sizes and modification times of the dataset's files; no content is read."""
        walk = os.walk(self.data, followlinks=True)  # the folder of databases may be a link, because they are large
        paths = (Path(folder, name) for folder, _, names in walk for name in names)
        files = (path for path in paths if path.is_file() and not path.is_relative_to(self.root))
        found = ((path.relative_to(self.data).as_posix(), path.stat()) for path in files)
        return hash_of(sorted((name, facts.st_size, facts.st_mtime_ns) for name, facts in found))

    def check_place(self, stage: str) -> None:
        """Raise ArtifactError if the dataset or the base model lies in the folder that the stage will empty."""
        folder = self.folder(stage).resolve()
        for name, place in {"DATA": self.data.resolve(), "MODEL": Path(self.model)}.items():  # a Hub id never does
            if place.is_relative_to(folder):
                remedy = "copy it elsewhere, or set another ARTIFACTS"
                raise ArtifactError(f"{name}={portable(place)!r}: the {stage} stage empties {folder}; {remedy}")

    def lock(self) -> AbstractContextManager[Any]:
        """A context manager that locks ``root`` against other runs; raises ArtifactError if another run holds it."""
        self.root.mkdir(parents=True, exist_ok=True)
        try:
            return FileLock(self.root / "run.lock").acquire(timeout=0)
        except Timeout as error:
            remedy = "wait for it, or set another ARTIFACTS"
            raise ArtifactError(f"{self.root}: another run is at work there; {remedy}") from error

    def manifest(self, stage: str) -> Manifest:
        """Read the manifest of a finished stage.

        Raises:
            ArtifactError: It is missing or unreadable, or the stage ran with another profile, dataset or model, or
                an earlier stage has since replaced the files it was made from.
        """
        manifest, path = self._read_manifest(stage), self.folder(stage) / "manifest.json"
        for name, wanted in self.identity.items():
            if (found := getattr(manifest, name)) != wanted:
                named = name.replace("_", " ")
                raise ArtifactError(f"{path}: made with {named} {found!r}, not {wanted!r}; {self._remedy(stage)}")
        # Inputs from a stage without a manifest (deleted, or running now) are not checked.
        earlier = [name for name in STAGES[: STAGES.index(stage)] if (self.folder(name) / "manifest.json").is_file()]
        now = {f"{name}/{file}": sha for name in earlier for file, sha in self._read_manifest(name).outputs.items()}
        for file, sha in manifest.inputs.items():
            if file.partition("/")[0] in earlier and now.get(file) != sha:
                raise ArtifactError(f"{path}: made from another {file} than there is now; {self._remedy(stage)}")
        return manifest

    def _remedy(self, stage: str) -> str:
        return f"run {notebook_of(stage)} with PROFILE={self.profile.name!r}"

    def _read_manifest(self, stage: str) -> Manifest:
        path = self.folder(stage) / "manifest.json"
        try:
            return Manifest(**read_json(path))
        except FileNotFoundError:
            raise ArtifactError(f"{path}: the result of the {stage} stage is missing; {self._remedy(stage)}") from None
        except (OSError, ValueError, TypeError) as error:
            raise ArtifactError(f"{path}: not a manifest ({error}); {self._remedy(stage)}") from error

    def output(self, stage: str, name: str) -> Path:
        """The path of ``name``, a file or folder that a finished stage wrote.

        Raises:
            ArtifactError: ``manifest`` raises it, or a file is missing or its SHA-256 has changed.
        """
        outputs, folder = self.manifest(stage).outputs, self.folder(stage)
        written = {file: sha for file, sha in outputs.items() if file == name or file.startswith(f"{name}/")}
        for file, sha in (written or {name: "never written"}).items():
            if not (path := folder / file).is_file() or sha256(path) != sha:
                raise ArtifactError(f"{path}: missing or not as its notebook wrote it; {self._remedy(stage)}")
        return folder / name

    def begin(self, stage: str) -> "StageRun":
        """Start a stage: check the earlier stages, record their outputs as its inputs, and empty its folder.

        The subfolder ``UNFINISHED`` stays until the stage finishes, ``TRACKING`` for good.

        Raises:
            ArtifactError: An earlier stage has not run or does not match, or the folder cannot be emptied or holds
                the dataset or the base model.
        """
        self.check_place(stage)
        made = {name: self.manifest(name).outputs for name in STAGES[: STAGES.index(stage)]}
        # No stage computes from setup's outputs, and probing the machine again must not outdate a trained model.
        inputs = {f"{name}/{file}": sha for name in made if name != "setup" for file, sha in made[name].items()}
        if stage == "data":
            inputs["DATA"] = self.data_state()
        folder = self.folder(stage)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "manifest.json").unlink(missing_ok=True)  # first, because it claims that the rest is complete
            for old in (path for path in folder.iterdir() if path.name not in (UNFINISHED, TRACKING)):
                remove = shutil.rmtree if old.is_dir() and not old.is_symlink() else Path.unlink
                remove(old)
        except OSError as error:
            raise ArtifactError(f"{folder}: cannot be emptied ({error}); close what uses it and try again") from error
        return StageRun(self, stage, folder, inputs)


@dataclass
class StageRun:
    """A stage in progress."""

    course: Course
    stage: str
    folder: Path
    """Where this stage writes."""
    inputs: dict[str, str]
    began: float = field(default_factory=time.perf_counter)

    def finish(self, results: dict[str, Any]) -> Manifest:
        """Write and return the manifest: every file in the folder, ``results``, and ``peak_memory_gib`` among these."""
        shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)
        (place := self.folder / "manifest.json").unlink(missing_ok=True)  # not an output, when the cell is run again
        files = sorted(path for path in self.folder.rglob("*") if path.is_file())
        manifest = Manifest(
            stage=self.stage,
            **self.course.identity,
            seconds=round(time.perf_counter() - self.began, 1),
            packages=package_versions(),
            inputs=self.inputs,
            outputs={path.relative_to(self.folder).as_posix(): sha256(path) for path in files},
            results={**results, "peak_memory_gib": round(peak_memory_gib(), 2)},
        )
        write_json(place, asdict(manifest))
        return manifest


def open_course(profile: str, data: str = "data", model: str = "", artifacts: str = "artifacts") -> Course:
    """Turn the notebook parameters into a ``Course``; relative paths start at the project.

    ``model`` replaces the profile's base model unless it is empty. Sets ``HF_HUB_OFFLINE`` if the base model needs no
    Hub, because without a network libraries would retry for half a minute. Excludes this machine from the proxy that
    the environment names, so that requests reach the course's own servers, and disables the telemetry of libraries.

    Raises:
        ConfigurationError: The profile is unknown.
    """
    chosen = get_profile(profile)
    if model:
        chosen = replace(chosen, base_model=model, needs_hub=not is_local(model))
    use_hub(chosen.needs_hub)
    bypass_proxy()
    disable_telemetry()
    return Course(chosen, resolve(data), resolve(artifacts) / chosen.name)


def package_versions(names: Iterable[str] = RECORDED_PACKAGES) -> dict[str, str]:
    """Versions of Python and of the installed packages among ``names``; missing packages are left out."""
    found = {"python": sys.version.split()[0]}
    for name in names:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def peak_memory_gib() -> float:
    """Peak resident memory in GiB of this process or of its largest finished child, whichever is higher."""
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss counts bytes on macOS, KiB on Linux
    peaks = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return max(peaks) * unit / 2**30
