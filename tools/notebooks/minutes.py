"""How long each notebook takes and how much memory it holds: one measured file, and the tables made from it."""

import re
from pathlib import Path
from typing import Any

from course_utils.artifacts import STAGES, Course
from course_utils.files import PROJECT, read_json, write_json

FILE = PROJECT / "benchmarks" / "results" / "notebook_minutes.json"
HEADER = "| profile | minutes | memory |\n|---|---|---|\n"
_TABLE = re.compile(re.escape(HEADER) + r"(?:\|.*\|\n?)*")

Minutes = dict[str, dict[str, Any]]
"""By profile: ``machine`` in words, and ``stages`` with ``minutes`` and ``memory_gib`` of each notebook."""


def read_minutes(path: Path = FILE) -> Minutes:
    """What was measured so far; nothing where there is no such file."""
    return read_json(path) if path.is_file() else {}


def record_minutes(course: Course, path: Path = FILE) -> Minutes:
    """Add the last run's times to the file: the notebooks' wall clock, the kernel's start included.

    Raises:
        ArtifactError: A stage has not run.
    """
    report = read_json(course.root / "report.json")
    machine = report["machine"]
    stages = {
        stage: {
            "minutes": round(report["seconds"][stage] / 60, 1),
            "memory_gib": round(course.manifest(stage).results["peak_memory_gib"], 1),
        }
        for stage in STAGES
    }
    words = f"{machine['cores']} cores, {machine['gpu'] or 'no GPU'}"
    measured = {**read_minutes(path), course.profile.name: {"machine": words, "stages": stages}}
    write_json(path, measured)
    return measured


def minutes_table(stage: str, measured: Minutes) -> str:
    """The table of a notebook's first cell."""
    rows = []
    for name, each in measured.items():
        took = each["stages"][stage]
        rows.append(f"| `{name}` ({each['machine']}) | {took['minutes']} | {took['memory_gib']} GiB |")
    return HEADER + "\n".join([*rows, "| other profiles | not measured yet | not measured yet |"])


def replace_table(source: str, table: str) -> str:
    """A notebook's first cell with this table in the place of its old one."""
    return _TABLE.sub(lambda _: f"{table}\n", source).rstrip("\n")
