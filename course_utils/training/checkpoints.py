"""Where a training run keeps its unfinished state, so that the same call goes on after the process was killed."""

import hashlib
import json
import shutil
from array import array
from dataclasses import asdict
from pathlib import Path

from course_utils.artifacts import UNFINISHED, package_versions
from course_utils.profiles import Profile
from course_utils.training.examples import TokenizedRows


def unfinished_folder(profile: Profile, model: str | Path, output: Path, *rows: TokenizedRows) -> Path:
    """A folder beside ``output``, named by a hash of all that decides how this run goes and where it ends.

    That is the profile, the base model, the token ids and masks, the package versions and the place: checkpoints
    refer to each other by their paths.
    """
    base = Path(model)
    files = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(base.glob("*"))]
    place = str(output.resolve())
    digest = hashlib.sha256(json.dumps([asdict(profile), str(model), files, place, package_versions()]).encode())
    for part in rows:
        for example in part.examples:
            digest.update(array("q", [*example.input_ids, -1, *example.completion_mask, -1]).tobytes())
    return output.resolve().parent / UNFINISHED / digest.hexdigest()[:16]


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint, if there is any; one that the end of its process cut short is removed.

    The trainer's state is what a checkpoint gets last (``Trainer._save_checkpoint``).
    """
    whole = {}
    for checkpoint in folder.glob("checkpoint-*"):
        try:
            whole[trained_part(checkpoint, "global_step")] = checkpoint
        except (OSError, ValueError, KeyError):
            shutil.rmtree(checkpoint, ignore_errors=True)  # of several processes, another one may be faster
    return whole[max(whole)] if whole else None


def trained_part(checkpoint: Path, name: str) -> float:
    """How far a checkpoint came: its ``global_step`` or its ``epoch``."""
    return float(json.loads((checkpoint / "trainer_state.json").read_text("utf-8"))[name])
