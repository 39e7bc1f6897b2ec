"""Running notebooks in real kernels, on notebooks that do nothing else: failures, resuming, Ctrl-C, which Python."""

import ast
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from nbformat import v4
from typer.testing import CliRunner, Result

from course_utils import runner
from course_utils.cli import app
from course_utils.errors import ArtifactError
from course_utils.files import PROJECT
from course_utils.kernel import Kernels, NotebookError, execute_notebook, read_notebook, start_kernel
from tests.waiting import comes_true
from tools.notebooks.outputs import write_run

START_WITHIN_S = 120
pytestmark = pytest.mark.takes(25)


def course_run(notebooks, artifacts, *options):
    """What ``course run`` does with these notebooks."""
    return CliRunner().invoke(app, ["run", "--notebooks", str(notebooks), "--artifacts", str(artifacts), *options])


def outputs_of(executed, identity):
    cell = next(cell for cell in read_notebook(executed).cells if cell.id == identity)
    return [dict(output) for output in cell.outputs]


@dataclass
class History:
    """A run that stopped, and the one that went on from there."""

    notebooks: Path
    artifacts: Path
    stopped: Result
    resumed: Result


NOISE = 'import sys\nsys.stderr.write("noise")\nprint("rows")\nfrom tqdm.auto import tqdm\nlist(tqdm([1]))'


@pytest.fixture(scope="module", autouse=True)
def light_kernels():
    """Kernels that load nothing: these notebooks need nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "LOADS", ())
        yield


@pytest.fixture(scope="module")
def history(make_notebooks, tmp_path_factory):
    folder = tmp_path_factory.mktemp("history")
    notebooks = make_notebooks(folder / "notebooks", data=NOISE, training="rate = '2e-4'\nrate * 0.5")
    stopped = course_run(notebooks, folder / "artifacts")
    with pytest.raises(ArtifactError, match="no finished run of the default"):
        write_run(str(folder / "artifacts"), notebooks, folder / "minutes.json")
    resumed = course_run(make_notebooks(notebooks, data=NOISE), folder / "artifacts")
    assert resumed.exit_code == 0, resumed.output
    return History(notebooks, folder / "artifacts", stopped, resumed)


def test_a_run_stops_at_a_failing_cell(history):
    assert history.stopped.exit_code == 1
    assert "notebooks/03_training.ipynb, cell 3 of 4 (work)" in history.stopped.stderr
    assert "rate = '2e-4'" in history.stopped.stderr
    assert "TypeError: can't multiply sequence by non-int" in history.stopped.stderr
    assert "make course" in history.stopped.stdout
    assert "04_evaluation" not in history.stopped.output


def test_a_run_that_stopped_resumes_at_its_notebook(history):
    assert "Starts at notebooks/03_training.ipynb" in history.resumed.stdout
    assert "02_data" not in history.resumed.stdout
    assert "peak memory gib" in history.resumed.stdout
    path = history.artifacts / "smoke" / "report.json"
    assert str(path) in history.resumed.stdout
    report = json.loads(path.read_text())
    assert report["seconds"]["total"] == pytest.approx(sum(report["seconds"].values()) / 2, abs=0.1)
    assert all(seconds > 0 for seconds in report["seconds"].values())


def test_outputs_are_written_without_their_noise(history, tmp_path):
    notebooks = shutil.copytree(history.notebooks, tmp_path / "notebooks")
    lines = write_run(str(history.artifacts), notebooks, tmp_path / "minutes.json")
    assert "Outputs written into 02_data.ipynb, but 1 on stderr" in lines
    written = read_notebook(notebooks / "02_data.ipynb")
    assert [cell.execution_count for cell in written.cells[1:]] == [1, 2, 3, 4]
    shown = outputs_of(notebooks / "02_data.ipynb", "work")
    assert [output["output_type"] for output in shown] == ["stream", "execute_result"]
    assert written.metadata.course.profile == "smoke"


def test_an_error_raised_on_purpose_is_shown_as_its_sentence(notebooks, plant, tmp_path):
    plant("setup", 'from course_utils.errors import DataError\nraise DataError("data/train.jsonl:17: no query")')
    stopped = course_run(notebooks, tmp_path, "--until", "setup")
    assert stopped.exit_code == 1
    assert "DataError: data/train.jsonl:17: no query" in stopped.stderr
    assert "Traceback" not in stopped.stderr


def test_retraining_executes_the_cells_that_hand_something_on(notebooks, plant, tmp_path):
    plant("setup", "1 / 0")
    done = course_run(notebooks, tmp_path, "--until", "setup", "--cells", "retrain")
    assert done.exit_code == 0, done.output
    executed = read_notebook(tmp_path / "smoke" / "notebooks" / "01_setup.ipynb")
    assert [cell.id for cell in executed.cells if "papermill" not in cell.id][-2:] == ["begin", "finish"]
    results = json.loads((tmp_path / "smoke" / "setup" / "manifest.json").read_text())["results"]
    assert results["n_setup"] == 1


def test_a_kernel_that_dies_is_told_from_a_cell_that_fails(plant, tmp_path):
    places = {"DATA": str(tmp_path), "MODEL": str(tmp_path), "ARTIFACTS": str(tmp_path / "artifacts")}
    path = plant("setup", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(NotebookError, match=r"kernel died.*memory ran out") as caught:
        execute_notebook(path, tmp_path / "executed.ipynb", places)
    assert caught.value.position.cell_id == "work"


def test_the_kernel_is_this_python_whatever_kernels_jupyter_finds(plant, tmp_path, monkeypatch):
    impostor = tmp_path / "share" / "kernels" / "python3"
    impostor.mkdir(parents=True)
    spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "impostor", "language": "python"}
    (impostor / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "share"))
    assert KernelSpecManager().get_kernel_spec("python3").display_name == "impostor"
    path = plant("setup", "import os, sys\n[sys.executable, os.getcwd(), PROFILE, os.environ['TQDM_DISABLE']]")
    parameters = {"PROFILE": "laptop", "MODEL": str(tmp_path), "ARTIFACTS": str(tmp_path / "artifacts")}
    seen = []
    execute_notebook(path, tmp_path / "executed.ipynb", parameters, on_cell=seen.append)
    shown = outputs_of(tmp_path / "executed.ipynb", "work")[0]["data"]["text/plain"]
    assert ast.literal_eval(shown) == [sys.executable, str(path.parent), "laptop", "1"]
    assert [(at.number, at.n_cells, at.cell_id) for at in seen] == [
        (number, 4, name) for number, name in enumerate(("parameters", "begin", "work", "finish"), start=1)
    ]


def test_the_next_kernel_starts_while_a_notebook_computes(plant, tmp_path):
    ended = tmp_path / "ended"
    work = f"import atexit, pathlib, sys\natexit.register(pathlib.Path({str(ended)!r}).touch)\n"
    path = plant("setup", f"{work}['colorsys' in sys.modules, 'colorsys' in globals()]")
    with Kernels(path.parent) as kernels:
        kernels.prepare(["wave", "colorsys"])
        kernel = kernels.take()
        kernels.prepare([])
        execute_notebook(path, tmp_path / "executed.ipynb", {"ARTIFACTS": str(tmp_path / "artifacts")}, kernel=kernel)
        assert len(kernels_in(path.parent)) == 1
    shown = outputs_of(tmp_path / "executed.ipynb", "work")[0]["data"]["text/plain"]
    assert ast.literal_eval(shown) == [True, False]
    assert ended.exists(), "the kernel did not run its exit handlers"
    assert not kernels_in(path.parent)


def test_what_a_kernel_loads_first_finds_itself_in_a_notebook(plant, tmp_path, monkeypatch):
    """Or Transformers' trainer prints its losses, line by line, where a table should grow."""
    (tmp_path / "asks.py").write_text("from transformers.utils import is_in_notebook\nANSWER = is_in_notebook()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = plant("setup", "import sys\n['asks' in sys.modules, __import__('asks').ANSWER]")
    kernel = start_kernel(path.parent, ["asks"])
    execute_notebook(path, tmp_path / "executed.ipynb", {"ARTIFACTS": str(tmp_path / "artifacts")}, kernel=kernel)
    shown = outputs_of(tmp_path / "executed.ipynb", "work")[0]["data"]["text/plain"]
    assert ast.literal_eval(shown) == [True, True]


def test_a_kernel_starts_where_temporary_files_have_a_long_path(plant, tmp_path, monkeypatch):
    (tmp_path / ("t" * 100)).mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("t" * 100)))
    execute_notebook(plant("setup", ""), tmp_path / "executed.ipynb", {"ARTIFACTS": str(tmp_path / "artifacts")})
    assert (tmp_path / "artifacts" / "smoke" / "setup" / "manifest.json").is_file()


def test_a_path_may_hold_any_letters(plant, tmp_path):
    place = tmp_path / 'it\'s {my} "größter" \\ 東京'
    execute_notebook(plant("setup", ""), place / "executed.ipynb", {"ARTIFACTS": str(place)})
    assert (place / "smoke" / "setup" / "manifest.json").is_file()
    assert outputs_of(place / "executed.ipynb", "finish")


def test_widgets_keep_no_cell_waiting(plant, tmp_path):
    path = plant("setup", "from ipywidgets import interact\nfrom IPython.display import HTML")
    notebook = read_notebook(path)
    source = "interact(lambda word, number: HTML(1000 * word), word=['a', 'b'], number=(1, 3))"
    notebook.cells[4:4] = [v4.new_code_cell(source, id=f"widget-{number}") for number in range(60)]
    nbformat.write(notebook, path)
    execute_notebook(path, tmp_path / "executed.ipynb", {"ARTIFACTS": str(tmp_path / "artifacts")})
    assert "widget-view" in json.dumps(outputs_of(tmp_path / "executed.ipynb", "widget-59"))


def kernels_in(folder):
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            found += [process.pid] if process.cwd() == str(folder) else []
    return found


# The command, started as a shell starts it: Ctrl-C works in the foreground and is ignored in the background. The end of
# a terminal counts too, even if these tests run under nohup.
STARTED = "from signal import *; signal(SIGINT, {handler}); signal(SIGHUP, SIG_DFL); "
STARTED += "from course_utils import cli, runner; runner.LOADS = (); cli.app()"


@pytest.mark.parametrize(
    ("handler", "sent"),
    [("default_int_handler", signal.SIGINT), ("SIG_IGN", signal.SIGTERM), ("default_int_handler", signal.SIGHUP)],
)
def test_a_stopped_run_says_how_to_resume_and_leaves_no_kernel(notebooks, plant, tmp_path, handler, sent):
    begun = tmp_path / "begun"
    work = f"pathlib.Path({str(begun)!r}).write_text(str(os.getpid()))"
    plant("setup", f"import os, pathlib, time\n{work}\ntime.sleep(600)")
    command = [sys.executable, "-c", STARTED.format(handler=handler), "run", "--notebooks", notebooks]
    command += ["--artifacts", tmp_path / "artifacts"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **pipes, text=True, env=environment) as process:
        assert comes_true(lambda: begun.exists() and begun.read_text(), START_WITHIN_S)
        process.send_signal(sent)
        output, _ = process.communicate(timeout=START_WITHIN_S)
    assert process.returncode == 130
    assert "Stopped; `make course" in output
    assert "Traceback" not in output
    assert comes_true(lambda: not kernels_in(notebooks), START_WITHIN_S), "this notebook's, and the next one's"
    assert json.loads((tmp_path / "artifacts/smoke/run.json").read_text())["seconds"] == {}
