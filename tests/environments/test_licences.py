"""Every locked package has a licence that pyproject.toml allows, as pip-licenses says; and the project has its own."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOCKED = re.findall(r"^([\w.-]+)==", (ROOT / "requirements" / "dev.txt").read_text("utf-8"), re.MULTILINE)


def check(packages, **environment):
    """What pip-licenses says of packages that are installed, by the settings in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("pip-licenses")), "--from=mixed", "--packages", *packages]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, timeout=120)


def test_every_locked_package_has_a_licence_that_is_allowed():
    done = check([*LOCKED, "torch"])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") > len(LOCKED) / 2, "the lock's packages are installed, and were asked for"


def test_another_licence_is_refused(tmp_path):
    known = tmp_path / "strict-1.0.dist-info"
    known.mkdir()
    known.joinpath("METADATA").write_text(
        "Metadata-Version: 2.4\nName: strict\nVersion: 1.0\nLicense-Expression: AGPL-3.0\n"
    )
    done = check(["strict"], PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "strict:1.0" in done.stderr


def test_whoever_gets_the_project_gets_the_text_of_its_licence():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["license"]
    title = " ".join((ROOT / "LICENSE").read_text("utf-8").split()[:4])
    assert (declared, title) == ("Apache-2.0", "Apache License Version 2.0,")
    assert f"[{declared}](LICENSE)" in (ROOT / "README.md").read_text("utf-8")
