"""The package keeps its shape: imports point down, names are unique, heavy libraries wait, old arguments stay away."""

import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGE = PROJECT / "course_utils"
FLOORS = (
    ("errors", "tables", "figures", "finding", "proportion", "profiles", "files", "network", "artifacts"),
    (
        "prompts",
        "sql",
        "resources",
        "models",
        "tasks",
        "processes",
        "supervision",
        "blind_rating",
        "feedback_rows",
        "prometheus",
    ),
    ("setup", "data", "training", "evaluation", "deployment", "monitoring", "learning"),
)
"""Lowest first. Within the first, a module may import those before it; stages may not import each other."""
STAGES = FLOORS[2]
HEAVY = ("torch", "transformers", "matplotlib", "pandas", "datasets", "trl", "peft", "pyspark")
HEAVY += ("scipy", "sklearn", "statsmodels")
RENAMED = ("evaluation_strategy", "max_seq_length", "warmup_ratio")
MAX_LINES, MAX_MODULES = 16_849, 132


def sources() -> dict[str, str]:
    return {path.relative_to(PROJECT).as_posix(): path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py"))}


def notebook_code() -> dict[str, str]:
    """The code cells of each notebook, without IPython's own syntax."""
    code = {}
    for path in sorted((PROJECT / "notebooks").glob("*.ipynb")):
        cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
        lines = [line for cell in cells for line in "".join(cell["source"]).splitlines()]
        code[path.name] = "\n".join(re.sub(r"^(\s*)[!%].*", r"\1pass", line) for line in lines)
    return code


# Imports point down


def part_of(module: str) -> str:
    """``course_utils.data.prepare`` and ``course_utils/data/prepare.py`` are of the part ``data``."""
    parts = module.removesuffix(".py").replace("/", ".").split(".")
    return parts[1] if len(parts) > 1 else ""


def floor_of(part: str) -> int:
    return next((number for number, parts in enumerate(FLOORS) if part in parts), len(FLOORS))


def imported_modules(path: str, source: str) -> Iterator[str]:
    """Every module that a file names in an import, wherever in the file it stands."""
    package = path.removesuffix(".py").split("/")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *(node.module or "").split(".")]).strip(".")
            # ``from course_utils import data`` names a part too.
            yield from (f"{module}.{alias.name}" for alias in node.names) if module == "course_utils" else (module,)


def wrong_imports(files: dict[str, str]) -> list[str]:
    """Imports that point up or sideways or out of the package, as ``file -> module``."""
    wrong = []
    for path, source in files.items():
        part = part_of(path)
        for module in imported_modules(path, source):
            target = part_of(module)
            if module.partition(".")[0] in ("tools", "benchmarks", "tests"):
                wrong.append(f"{path} -> {module}")
            if not module.startswith("course_utils.") or target in (part, "__version__"):
                continue
            floor, below = floor_of(part), floor_of(target)
            sideways = floor == below == 2
            out_of_order = floor == below == 0 and FLOORS[0].index(target) > FLOORS[0].index(part)
            if below > floor or sideways or out_of_order:
                wrong.append(f"{path} -> {module}")
    return wrong


def test_imports_point_down() -> None:
    assert wrong_imports(sources()) == []


@pytest.mark.parametrize(
    ("path", "source", "n_wrong"),
    [
        ("course_utils/errors.py", "from course_utils.profiles import Profile", 1),
        ("course_utils/artifacts.py", "def f():\n    import course_utils.sql.execute", 1),
        ("course_utils/sql/execute.py", "from ..evaluation import execution", 1),
        ("course_utils/training/sft.py", "from course_utils import data", 1),
        ("course_utils/data/prepare.py", "from tools.dataset import build", 1),
        ("course_utils/monitoring/service.py", "from course_utils.cli import app", 1),
        ("course_utils/artifacts.py", "from course_utils.errors import ArtifactError", 0),
        ("course_utils/deployment/gateway/app.py", "from .chat import router\nfrom ..serve import serve", 0),
        ("course_utils/cli.py", "from course_utils.evaluation import score\nfrom course_utils.runner import run", 0),
    ],
)
def test_an_import_is_judged_by_where_it_points(path: str, source: str, n_wrong: int) -> None:
    assert len(wrong_imports({path: source})) == n_wrong


def test_the_installer_needs_nothing_installed() -> None:
    install = PROJECT / "requirements" / "install.py"
    modules = {name.partition(".")[0] for name in imported_modules("x.py", install.read_text("utf-8"))}
    assert modules <= sys.stdlib_module_names


# The package stays small, and a name means one thing


def test_the_package_stays_thin() -> None:
    files = sources()
    assert sum(len(source.splitlines()) for source in files.values()) <= MAX_LINES
    assert len(files) <= MAX_MODULES
    assert [path for path in files if path.count("/") > 3] == [], "packages are two levels deep at most"


def test_a_name_means_one_thing() -> None:
    files = sources()
    classes = [
        node.name for source in files.values() for node in ast.parse(source).body if isinstance(node, ast.ClassDef)
    ]
    modules = [Path(path).stem for path in files if not Path(path).stem.startswith("__")]
    for names in (classes, modules):
        assert [name for name, n in Counter(names).items() if n > 1] == []


# Importing is light and touches nothing

WATCHED_IMPORT = """
import importlib, json, logging, sys, time
sys.dont_write_bytecode = True
touched = []
def watch(event, arguments):
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        touched.append(f"{event} {arguments[0]}")
    elif event in ("os.mkdir", "os.remove", "os.rename", "socket.connect", "subprocess.Popen"):
        touched.append(f"{event} {arguments[0]}")
sys.addaudithook(watch)
began = time.perf_counter()
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "heavy": [name for name in json.loads(sys.argv[1]) if name in sys.modules],
    "touched": touched,
    "handlers": len(logging.getLogger().handlers),
}))
"""


def import_in_a_fresh_process(folder: Path, *names: str) -> dict[str, object]:
    command = [sys.executable, "-c", WATCHED_IMPORT, json.dumps(HEAVY), *names]
    environment = {"PYTHONPATH": str(PROJECT), "HOME": str(folder), "PATH": ""}
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, timeout=120)
    assert done.returncode == 0, done.stderr
    result: dict[str, object] = json.loads(done.stdout)
    return result


def test_import_course_utils_is_light_and_touches_nothing(tmp_path: Path) -> None:
    runs = [import_in_a_fresh_process(tmp_path, "course_utils") for _ in range(3)]
    assert min(float(str(run["seconds"])) for run in runs) < 0.3
    assert runs[0] | {"seconds": 0} == {"seconds": 0, "heavy": [], "touched": [], "handlers": 0}
    assert list(tmp_path.iterdir()) == []


def parts() -> list[str]:
    return [
        part for floor in FLOORS for part in floor if (PACKAGE / part).is_dir() or (PACKAGE / f"{part}.py").is_file()
    ]


@pytest.mark.parametrize("part", parts())
def test_a_part_loads_no_heavy_library(part: str, tmp_path: Path) -> None:
    run = import_in_a_fresh_process(tmp_path, f"course_utils.{part}")
    assert run | {"seconds": 0} == {"seconds": 0, "heavy": [], "touched": [], "handlers": 0}


@pytest.mark.parametrize("part", parts())
def test_a_part_says_what_it_is_for(part: str) -> None:
    path = PACKAGE / part / "__init__.py" if (PACKAGE / part).is_dir() else PACKAGE / f"{part}.py"
    tree = ast.parse(path.read_text("utf-8"))
    assert ast.get_docstring(tree)
    if path.name == "__init__.py" and any(isinstance(node, ast.ImportFrom) for node in tree.body):
        names = [target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]  # type: ignore[attr-defined]
        assert "__all__" in names, f"{path.name} re-exports names, so it pins them in __all__"


# Rules for every file


def imports_in(function: ast.AST) -> list[str]:
    """Top-level names of the modules that a function imports, in order."""
    found = [node for node in ast.walk(function) if isinstance(node, ast.Import | ast.ImportFrom)]
    ordered = sorted(found, key=lambda node: node.lineno)
    names = [
        [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        for node in ordered
    ]
    return [name.partition(".")[0] for group in names for name in group]


def test_one_function_imports_unsloth_and_before_the_libraries_it_patches() -> None:
    owners = []
    for path, source in sources().items():
        tree = ast.parse(source)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        inside = [function for function in functions if "unsloth" in imports_in(function)]
        owners += [f"{path}:{function.name}" for function in inside]
        for function in inside:
            order = imports_in(function)
            patched = [order.index(name) for name in ("trl", "transformers", "peft") if name in order]
            assert all(order.index("unsloth") < place for place in patched), f"{path}: unsloth comes first"
        n_outside = imports_in(tree).count("unsloth") - sum(imports_in(f).count("unsloth") for f in inside)
        assert n_outside == 0, f"{path}: import unsloth inside its one function only"
    assert len(owners) == 1, owners


def renamed_arguments(source: str) -> list[str]:
    """Names that TRL and Transformers have renamed, given as arguments or as keys of settings."""
    wrong = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            callee = ast.unparse(node.func)
            names = [keyword.arg for keyword in node.keywords]
            # Unsloth's own loader does call it so.
            wrong += [n for n in names if n in RENAMED and not callee.startswith("FastLanguageModel.")]
            wrong += ["tokenizer" for n in names if n == "tokenizer" and callee.endswith("Trainer")]
        elif isinstance(node, ast.Dict):
            wrong += [key.value for key in node.keys if isinstance(key, ast.Constant) and key.value in RENAMED]
    return wrong


def test_no_renamed_arguments() -> None:
    found = {path: renamed_arguments(source) for path, source in (sources() | notebook_code()).items()}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        f"SFTConfig({RENAMED[0]}='steps')",
        f"SFTConfig(**{{'{RENAMED[1]}': 512}})",
        f"TrainingArguments({RENAMED[2]}=0.1)",
        "trl.SFTTrainer(model, tokenizer=t)",
    ],
)
def test_a_planted_renamed_argument_is_found(source: str) -> None:
    assert len(renamed_arguments(source)) == 1


def test_unsloths_own_argument_passes() -> None:
    assert renamed_arguments(f"FastLanguageModel.from_pretrained(name, {RENAMED[1]}=512)") == []
