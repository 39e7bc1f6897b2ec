"""The README's tree of folders is the tree on the disk."""

import re
import subprocess
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
MAX_DEPTH = 2
"""Folders below are not named, but for those of the package."""


def folders_in_readme() -> set[str]:
    """Folders of the tree, a line each: indented by two spaces a level, with a word on what is in it."""
    tree = (ROOT / "README.md").read_text("utf-8").partition("## What is where")[2].split("```")[1]
    found, above = set(), [""]
    for line in tree.splitlines()[2:]:  # the first is the project's own folder
        entry = re.fullmatch(r"(?P<indent> *)(?P<name>[\w.-]+/) +\S.*", line)
        assert entry, f"README: {line!r} is no folder with a word on what is in it"
        level = len(entry["indent"]) // 2 - 1
        above[level + 1 :] = [above[level] + entry["name"]]
        found.add(above[level + 1].rstrip("/"))
    return found


def folders_on_disk() -> set[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    folders = {parent for path in listed.splitlines() for parent in PurePosixPath(path).parents}
    return {
        str(folder)
        for folder in folders
        if folder.parts and (len(folder.parts) <= MAX_DEPTH or folder.parts[0] == "course_utils")
    }


def test_the_tree_names_every_folder_and_no_other() -> None:
    assert folders_in_readme() == folders_on_disk()
