"""The course itself: all six notebooks in order, by the command, on the repository's data."""

import json
import os
import shutil
import subprocess
import sys

import psutil
import pytest

from course_utils.artifacts import STAGES
from course_utils.files import PROJECT
from course_utils.network import NO_TELEMETRY
from tests.http_servers import RecordingProxy, serve

MOST_S = 1_200
"""Far more than a course takes beside other tests on a slow machine: what takes longer hangs."""

pytestmark = [pytest.mark.takes(600), pytest.mark.timeout(MOST_S + 60)]

QUESTIONS = ("n_asked = 32 if seconds_per_question < 0.3 else 8", "n_asked = 24")
"""What notebook 6 says of the number of questions from which it retrains, and what does for all of its cells to run:
a minute less, unless COURSE_TEST_SLOW=1 asks for the notebooks as they are."""

LEFT_OUT = {"OMP_NUM_THREADS", "HF_HUB_OFFLINE", "PYTEST_CURRENT_TEST", "CI", *NO_TELEMETRY}
"""Variables that nobody sets who takes the course, and that libraries heed: from tests, MLflow sends nothing anyway."""
LEFT_OUT |= {"HF_ENDPOINT", "NO_PROXY", "no_proxy"}  # with which others are asked, or past the test's proxy

MACHINE = {"cpu", "cores", "memory_gib", "gpu", "python", "platform"}
RESULTS = {
    "base_execution_accuracy",
    "best_prompt_execution_accuracy",
    "tuned_execution_accuracy",
    "tuned_execution_accuracy_unseen",
    "n_test",
    "train_examples_per_s",
    "train_tokens_per_s",
    "peak_memory_gib",
    "gguf_parity",
}


def run_course(artifacts, *options):
    """Run the ``course`` command as a person does; return the report, and whom the course asked for over the network.

    One that fails or hangs shows its output.

    The output goes to a file: a pipe would stay open for as long as any process that the course left behind. The course
    may use every core, for the other workers end long before; threads that sleep while they wait hardly disturb them.
    """
    command = [sys.executable, "-m", "course_utils.cli", "run", "--artifacts", artifacts, *options]
    output = artifacts.with_name("course.log")
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    environment["OMP_WAIT_POLICY"] = "passive"
    with output.open("w") as file, serve(RecordingProxy, asked=[]) as proxy:
        environment |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), proxy.url)
        process = subprocess.Popen(command, cwd=PROJECT, stdout=file, stderr=file, env=environment)
        try:
            status = process.wait(MOST_S)
        except subprocess.TimeoutExpired:
            status = f"none after {MOST_S} s:\n" + "\n".join(map(describe, psutil.Process(process.pid).children(True)))
        finally:
            process.kill()
    assert status == 0, f"{status}\n{output.read_text()}"
    assert "tuned execution accuracy" in output.read_text()
    return json.loads((artifacts / "smoke" / "report.json").read_text()), proxy.asked


def describe(process):
    """What a process does that should have ended: a hanging one has used little time, a slow one much."""
    with process.oneshot():
        return f"{process.status()}, {sum(process.cpu_times()[:2]):.0f} s: {' '.join(process.cmdline())}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a course's results, its report, and whom it asked for.

    Of three tests or more: a worker that starts with fewer gets a second file from xdist, which nobody else may take
    while the course runs.
    """
    artifacts = tmp_path_factory.mktemp("course") / "artifacts"
    notebooks = shutil.copytree(PROJECT / "notebooks", artifacts.with_name("notebooks"))
    if os.environ.get("COURSE_TEST_SLOW") != "1":
        last = notebooks / "06_monitoring.ipynb"
        text = last.read_text("utf-8")
        assert text.count(QUESTIONS[0]) == 1
        last.write_text(text.replace(*QUESTIONS), "utf-8")
    return artifacts / "smoke", *run_course(artifacts, "--notebooks", notebooks)


def test_the_report_says_all_that_others_read(run, capsys):
    _, report, _ = run
    with capsys.disabled():
        sys.stdout.write(f"\n{json.dumps(report, indent=1)}\n")
    assert list(report) == ["profile", "machine", "seconds", "results"]
    assert report["profile"] == "smoke"
    assert set(report["machine"]) == MACHINE
    assert list(report["seconds"]) == [*STAGES, "total"]
    assert all(seconds > 0 for seconds in report["seconds"].values())
    assert set(report["results"]) >= RESULTS
    assert all(isinstance(report["results"][name], int | float) for name in RESULTS)


def test_the_course_asks_nobody_but_whether_the_hub_can_be_reached(run):
    assert {*run[2]} == {"huggingface.co:443"}


def test_the_smoke_course_learns(run):
    results = run[1]["results"]
    assert results["base_execution_accuracy"] <= 0.15
    assert 0.35 <= results["best_prompt_execution_accuracy"] < results["tuned_execution_accuracy"]
    assert results["tuned_execution_accuracy"] >= 0.80
    assert results["tuned_execution_accuracy_unseen"] >= 0.72


def test_the_smoke_course_serves_what_it_learned_within_4_gib(run):
    results = run[1]["results"]
    assert results["gguf_parity"] >= 0.98
    assert results["peak_memory_gib"] < 4


def test_a_run_passes_its_own_gate(run):
    """The notebooks write all that the gate reads: none of its checks is without a measurement."""
    folder, *_ = run
    command = [sys.executable, "-m", "course_utils.cli", "gate", folder, folder, "--json"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    found = json.loads(done.stdout)
    assert (done.returncode, found["passed"]) == (0, True), done.stdout + done.stderr
    assert {check["name"]: check["decision"] for check in found["checks"]} == dict.fromkeys(
        ("accuracy", "forgetting", "safety", "latency"), "pass"
    )
