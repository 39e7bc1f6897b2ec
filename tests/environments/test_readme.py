"""What the README names is there, and what is there it names: folders, packages, commands."""

import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path, PurePosixPath

import pytest
import typer
from packaging.requirements import Requirement

from course_utils.cli import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text("utf-8")
MAX_DEPTH = 2
"""Folders below are not named, but for those of the package."""


def folders_in_readme() -> set[str]:
    """Folders of the tree, a line each: indented by two spaces a level, with a word on what is in it."""
    tree = README.partition("## What is where")[2].split("```")[1]
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


def test_the_table_explains_every_package() -> None:
    table = README.partition("## What each dependency is for")[2].partition("\n## ")[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    packages = {Requirement(each).name for packages in lists for each in packages}
    assert packages - set(re.findall(r"`([\w.-]+)`", table)) == set()


def test_every_command_is_explained_and_no_other() -> None:
    pages = README + (ROOT / "deploy" / "README.md").read_text("utf-8")
    assert set(re.findall(r"`course (\w+)", pages)) == set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def modules_to_type() -> list[str]:
    """What some text tells people to run by ``python -m``, but for servers, which are told what to do otherwise."""
    listed = subprocess.run(["git", "ls-files", "*.md", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True)
    text = "".join((ROOT / name).read_text("utf-8") for name in listed.stdout.splitlines())
    return sorted(set(re.findall(r"`python -m ((?:benchmarks|tests|tools)\b[.\w]*)", text)))


@pytest.mark.filterwarnings("ignore:.*found in sys.modules")  # a module that another test has imported
@pytest.mark.parametrize("module", modules_to_type())
def test_a_module_that_people_are_told_to_run_explains_itself(
    module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [module, "--help"])
    with pytest.raises(SystemExit, match=r"^0$"):
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    assert "usage: " in capsys.readouterr().out.lower()


@pytest.mark.skipif(not Path(sys.prefix, "bin", "activate").is_file(), reason="not a virtual environment of POSIX")
def test_the_page_says_how_a_shell_finds_the_commands() -> None:
    (activate,) = re.findall(r"`(source \.venv/\S+)`", README)
    assert README.index(activate) < README.index("`course validate")
    shell = f"{activate.replace('.venv', shlex.quote(sys.prefix))} && command -v course python"
    found = subprocess.run(["bash", "-c", shell], capture_output=True, text=True).stdout.split("\n")[:2]
    assert found == [str(Path(sys.prefix, "bin", name)) for name in ("course", "python")]
