"""Running notebooks in real kernels, on notebooks that do nothing else: failures, resuming, Ctrl-C, which Python."""

import ast
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from typer.testing import CliRunner

from course_utils.artifacts import PROJECT
from course_utils.cli import app
from course_utils.errors import ArtifactError
from course_utils.kernel import NotebookError, execute_notebook, read_notebook
from tools.notebooks.outputs import write_run

START_WITHIN_S = 120


@pytest.fixture
def course(notebooks, tmp_path):
    """The ``course run`` command on these notebooks."""
    places = ["--notebooks", notebooks, "--artifacts", tmp_path / "artifacts", "--data", notebooks, "--model", tmp_path]
    return lambda *options: CliRunner().invoke(app, ["run", *map(str, [*places, *options])])


def outputs_of(executed, identity):
    cell = next(cell for cell in read_notebook(executed).cells if cell.id == identity)
    return [dict(output) for output in cell.outputs]


@pytest.mark.slow
def test_a_run_stops_at_a_failing_cell_and_resumes_at_its_notebook(course, plant, tmp_path):
    plant("training", "rate = '2e-4'\nrate * 0.5")
    stopped = course()
    assert stopped.exit_code == 1
    assert "notebooks/03_training.ipynb, cell 3 of 4 (work)" in stopped.stderr
    assert "rate = '2e-4'" in stopped.stderr
    assert "TypeError: can't multiply sequence by non-int" in stopped.stderr
    assert "make course" in stopped.stdout
    assert "04_evaluation" not in stopped.output
    plant("training", "1 + 1")
    resumed = course()
    assert resumed.exit_code == 0, resumed.output
    assert "Starts at notebooks/03_training.ipynb" in resumed.stdout
    assert "02_data" not in resumed.stdout
    assert "peak memory gib" in resumed.stdout
    report = json.loads((tmp_path / "artifacts/smoke/report.json").read_text())
    assert report["seconds"]["total"] == pytest.approx(sum(report["seconds"].values()) / 2, abs=0.1)
    assert all(seconds > 0 for seconds in report["seconds"].values())


@pytest.mark.slow
def test_an_error_raised_on_purpose_is_shown_as_its_sentence(course, plant):
    plant("setup", 'from course_utils.errors import DataError\nraise DataError("data/train.jsonl:17: no query")')
    stopped = course("--only", "setup")
    assert stopped.exit_code == 1
    assert "DataError: data/train.jsonl:17: no query" in stopped.stderr
    assert "Traceback" not in stopped.stderr


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


@pytest.mark.slow
def test_outputs_are_written_from_a_clean_run_only(notebooks, plant, tmp_path):
    plant("data", 'import sys\nsys.stderr.write("noise")\nprint("rows")\nfrom tqdm.auto import tqdm\nlist(tqdm([1]))')
    artifacts = str(tmp_path / "artifacts")
    with pytest.raises(ArtifactError, match="no finished run of the default"):
        write_run(artifacts, notebooks, tmp_path / "minutes.json")
    result = CliRunner().invoke(app, ["run", "--notebooks", str(notebooks), "--artifacts", artifacts])
    assert result.exit_code == 0, result.output
    assert "Outputs written into 02_data.ipynb, but 1 on stderr" in write_run(
        artifacts, notebooks, tmp_path / "minutes.json"
    )
    written = read_notebook(notebooks / "02_data.ipynb")
    assert [cell.execution_count for cell in written.cells[1:]] == [1, 2, 3, 4]
    shown = outputs_of(notebooks / "02_data.ipynb", "work")
    assert [output["output_type"] for output in shown] == ["stream", "execute_result"]
    assert written.metadata.course.profile == "smoke"


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C is another thing there")
@pytest.mark.slow
def test_ctrl_c_leaves_a_run_that_can_be_resumed(notebooks, plant, tmp_path):
    begun = tmp_path / "begun"
    plant("setup", f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)")
    command = [sys.executable, "-m", "course_utils.cli", "run", "--notebooks", notebooks, "--data", notebooks]
    command += ["--model", tmp_path, "--artifacts", tmp_path / "artifacts"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        deadline = time.monotonic() + START_WITHIN_S
        while not begun.exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=START_WITHIN_S)
    assert process.returncode == 130
    assert "Stopped; `make course" in output
    state = json.loads((tmp_path / "artifacts/smoke/run.json").read_text())
    assert state["stages"]["setup"]["status"] == "stopped"
