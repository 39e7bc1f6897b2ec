"""The notebooks' Colab cell in an environment with another torch, as Colab's has, and what was compiled for that one.

Installs about 2 GB: COURSE_TEST_COLAB=1 asks for it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager

ROOT = Path(__file__).resolve().parents[2]
CONTENT = Path("/content")  # the cell names it, as Colab's own notebooks do
ADDRESS = "https://github.com/small-model-course/small-model-course"

pytestmark = [
    pytest.mark.takes(100),
    pytest.mark.timeout(1500),
    pytest.mark.skipif(os.environ.get("COURSE_TEST_COLAB") != "1", reason="COURSE_TEST_COLAB=1 asks for this install"),
]

# What Colab's kernel gives the cell: the google.colab module, and ``!`` with {braces} filled in.
KERNEL = """
import importlib.machinery, re, subprocess, sys, types
sys.modules["google.colab"] = types.ModuleType("google.colab")
sys.modules["google.colab"].__spec__ = importlib.machinery.ModuleSpec("google.colab", None)

class Shell:
    def system(self, command):
        filled = re.sub(r"{(.+?)}", lambda match: str(eval(match[1], globals())), command)
        subprocess.run(filled, shell=True, check=True)

def get_ipython():
    return Shell()
"""
REPORT = """
import json
from importlib.metadata import distributions
import course_utils, trl
from transformers import Trainer  # which imports a torchvision that it finds
found = {each.metadata["Name"].lower().replace("_", "-").replace(".", "-"): each.version for each in distributions()}
print("FOUND", json.dumps({"from": course_utils.__file__, "versions": found}))
"""


@pytest.fixture
def content():
    """Colab's folder for the clone, removed afterwards."""
    if (CONTENT / "course").exists():
        pytest.skip(f"{CONTENT}/course is in use")
    there_before = CONTENT.exists()
    try:
        CONTENT.mkdir(exist_ok=True)
    except OSError as error:
        pytest.skip(f"{CONTENT} cannot be made here: {error}")
    yield CONTENT
    shutil.rmtree(CONTENT / "course", ignore_errors=True)
    if not there_before:
        CONTENT.rmdir()


STANDS_IN = {"torch": "", "torchvision": "raise RuntimeError('operator torchvision::nms does not exist')"}


def plant(python, name, source):
    """Put a package of an old version into an environment, as far as pip and an import see it."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    files = {
        f"{name}/__init__.py": f"__version__ = '0.1+cu126'\n{source}\n",
        f"{name}-0.1+cu126.dist-info/METADATA": f"Metadata-Version: 2.4\nName: {name}\nVersion: 0.1+cu126\n",
    }
    record = f"{name}-0.1+cu126.dist-info/RECORD"
    files[record] = "".join(f"{path},,\n" for path in (*files, record))
    for path, text in files.items():
        (site / path).parent.mkdir(exist_ok=True)
        (site / path).write_text(text)


def read_cell():
    cells = json.loads((ROOT / "notebooks" / "01_setup.ipynb").read_text())["cells"]
    return "".join(next(cell["source"] for cell in cells if "setup" in cell["metadata"].get("tags", [])))


def test_the_cell_installs_the_locked_versions(content, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "colab")], check=True)
    python = tmp_path / "colab" / "bin" / "python"
    for name, source in STANDS_IN.items():
        plant(python, name, source)
    script = tmp_path / "cell.py"
    script.write_text(KERNEL + TransformerManager().transform_cell(read_cell()) + REPORT)
    clone_from_here = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf"}
    environment = os.environ | clone_from_here | {"GIT_CONFIG_VALUE_0": ADDRESS}
    environment.pop("PYTHONPATH", None)
    done = subprocess.run([python, script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    found = json.loads(re.search(r"^FOUND (.*)$", done.stdout, re.MULTILINE)[1])
    assert found["from"].startswith(str(content / "course"))
    lock = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements" / "all.txt").read_text(), re.MULTILINE))
    versions = {name: version.split("+")[0] for name, version in found["versions"].items() if name in lock}
    versions.pop("pip")  # Colab's own: only pip-audit, which checks the project, needs one of a certain version
    assert versions == {name: lock[name] for name in versions}
    assert {"torch", "trl", "transformers", "peft", "xllamacpp"} <= versions.keys()
