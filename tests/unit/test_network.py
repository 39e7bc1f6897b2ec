"""Whom libraries may ask once a course is open: the Hub if it is needed, its own servers directly, and nobody else."""

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest
from huggingface_hub import constants
from huggingface_hub.utils import _telemetry

from course_utils.artifacts import open_course
from course_utils.files import PROJECT
from course_utils.network import NO_TELEMETRY
from tests.http_servers import RecordingProxy, serve


def test_a_profile_without_a_hub_keeps_libraries_off_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    open_course("laptop")
    assert "HF_HUB_OFFLINE" not in os.environ
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)  # read when it was imported
    open_course("laptop", model="data/tiny_base")
    assert constants.is_offline_mode()
    assert constants._is_true(os.environ["HF_HUB_OFFLINE"])
    open_course("laptop")
    assert not constants.is_offline_mode()
    assert "HF_HUB_OFFLINE" not in os.environ


@pytest.mark.parametrize("said", ["0", "1"])
def test_what_its_user_says_of_the_hub_holds_for_any_profile(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", said)
    for profile in ("smoke", "laptop"):
        open_course(profile)
        assert os.environ["HF_HUB_OFFLINE"] == said


@pytest.mark.parametrize(
    ("set_before", "spared"),
    [
        ({}, None),
        ({"HTTP_PROXY": "http://127.0.0.1:9"}, "127.0.0.1,localhost"),
        ({"https_proxy": "http://127.0.0.1:9", "NO_PROXY": ".corp,localhost"}, ".corp,localhost,127.0.0.1"),
        ({"HTTP_PROXY": "http://127.0.0.1:9", "no_proxy": "*"}, "*"),
    ],
)
def test_a_course_spares_its_own_servers_the_proxy(
    set_before: dict[str, str], spared: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("no_proxy", "NO_PROXY"):  # so that what the course sets goes with the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    for name, value in set_before.items():
        monkeypatch.setenv(name, value)
    open_course("smoke")
    assert (os.environ.get("no_proxy") or os.environ.get("NO_PROXY")) == spared
    if set_before:
        with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
            Thread(target=server.handle_request, daemon=True).start()
            assert httpx.get(f"http://127.0.0.1:{server.server_port}").status_code == 501


# Telemetry


def test_the_hubs_client_tells_nobody_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NO_TELEMETRY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.setattr(constants, "is_offline_mode", lambda: False)
    asked: list[object] = []
    monkeypatch.setattr(_telemetry._TELEMETRY_QUEUE, "put", asked.append)
    monkeypatch.setattr(_telemetry, "_start_telemetry_thread", lambda: None)
    _telemetry.send_telemetry("a test")
    assert len(asked) == 1, "the test does not see what is sent"
    open_course("smoke")
    _telemetry.send_telemetry("a test")
    assert len(asked) == 1
    assert os.environ.items() >= NO_TELEMETRY.items()


USES_LIBRARIES = """
import threading
from course_utils.artifacts import open_course
open_course("smoke")
import onnx.parser, onnxruntime
from mlflow import MlflowClient
text = '<ir_version: 10, opset_import: ["": 21]> g (float[1] x) => (float[1] y) {y = Abs(x)}'
onnxruntime.InferenceSession(onnx.parser.parse_model(text).SerializeToString())
MlflowClient("sqlite://").create_experiment("x")
[thread.join(5) for thread in threading.enumerate() if thread.daemon]  # which MLflow sends by
"""


@pytest.mark.parametrize("allowed", [False, True], ids=["by default", "if the user allows it"])
def test_libraries_send_nothing_and_name_no_machine(allowed: bool, tmp_path: Path) -> None:
    """ONNX Runtime would write an id of this machine into a cache, to send it with each event."""
    said = {"ORT_DISABLE_TELEMETRY": "0", "MLFLOW_DISABLE_TELEMETRY": "false"} if allowed else {}
    with serve(RecordingProxy, asked=[]) as proxy:
        place = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}  # and no variable by which MLflow recognises CI
        variables = place | said | {"HTTPS_PROXY": proxy.url, "https_proxy": proxy.url}
        subprocess.run([sys.executable, "-c", USES_LIBRARIES], env=variables, cwd=PROJECT, check=True, timeout=120)
        assert bool(proxy.asked) == allowed
    assert bool([*tmp_path.rglob("deviceid")]) == allowed
