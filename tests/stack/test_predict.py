"""``course predict`` asks real models behind each engine, and a killed one goes on where it stopped."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from course_utils.artifacts import open_course
from course_utils.cli import app
from course_utils.files import PROJECT, write_json, write_jsonl
from course_utils.models.generation import SERVED_AT_ONCE
from course_utils.processes import Server

BASE = PROJECT / "data" / "tiny_base"
N_ROWS = 2 * SERVED_AT_ONCE + 10


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """The artifacts of a course whose notebook 2 has run."""
    course = open_course("smoke", artifacts=str(tmp_path / "artifacts"))
    course.begin("setup").finish({})
    stage = course.begin("data")
    rows = [
        {
            "id": f"row-{n}",
            "db_id": "music",
            "question": f"How many singers are older than {n}?",
            "query": f"SELECT {n}",
        }
        for n in range(N_ROWS)
    ]
    for split in ("train", "validation", "test"):
        write_jsonl(stage.folder / f"{split}.jsonl", rows)
    write_json(stage.folder / "schemas.json", {"music": "table singer: name text, age integer"})
    stage.finish({})
    return tmp_path / "artifacts"


@pytest.fixture
def predict(artifacts: Path, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    def run(model: str | Path, *options: str, name: str = "out") -> list[dict[str, Any]]:
        arguments = ["predict", str(model), str(tmp_path / f"{name}.jsonl"), "--artifacts", str(artifacts), *options]
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in (tmp_path / f"{name}.jsonl").read_text().splitlines()]

    return run


@pytest.mark.parametrize("options", [(), ("--prompt", "plain", "--examples", "2")])
def test_three_engines_give_the_replies_of_one_model(
    predict: Callable[..., list[dict[str, Any]]], gguf: Path, model_server: Server, options: tuple[str, ...]
) -> None:
    engines = {"transformers": BASE, "llama.cpp": gguf, "url": f"{model_server.url}/v1"}
    answers = {
        name: [row["predicted"] for row in predict(model, "--first", "4", *options, name=name)]
        for name, model in engines.items()
    }
    assert answers["transformers"] == answers["llama.cpp"] == answers["url"]
    assert all(query.startswith("SELECT") for query in answers["url"]) == bool(options)


class Slow(BaseHTTPRequestHandler):
    """A model server that answers with the question, and stops answering after a number of questions."""

    n_asked, silent_after = 0, 10**9
    lock = threading.Lock()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.lock:
            type(self).n_asked += 1
        if self.n_asked > self.silent_after:
            threading.Event().wait(60)
        said = {"message": {"content": body["messages"][-1]["content"]}, "finish_reason": "stop"}
        content = json.dumps({"choices": [said]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def slow() -> Iterator[str]:
    Slow.n_asked, Slow.silent_after = 0, 10**9
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_killed_run_resumes_to_the_same_file(
    predict: Callable[..., list[dict[str, Any]]], slow: str, artifacts: Path, tmp_path: Path
) -> None:
    whole = predict(slow, "--served-as", "x", name="whole")
    out, Slow.n_asked, Slow.silent_after = tmp_path / "killed.jsonl", 0, 45
    command = [sys.executable, "-m", "course_utils.cli", "predict", slow, str(out), "--served-as", "x"]
    running = subprocess.Popen([*command, "--artifacts", str(artifacts)], cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if out.is_file() and out.read_bytes().count(b"\n") == SERVED_AT_ONCE and Slow.n_asked > Slow.silent_after:
                break
            assert running.poll() is None
            threading.Event().wait(0.05)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    begun = (tmp_path / "whole.jsonl").read_bytes().splitlines()[SERVED_AT_ONCE][:77]
    out.write_bytes(out.read_bytes() + begun)  # as a kill in the middle of writing would leave it
    Slow.n_asked, Slow.silent_after = 0, 10**9
    resumed = predict(slow, "--served-as", "x", name="killed")
    assert Slow.n_asked == N_ROWS - SERVED_AT_ONCE
    assert [row | {"seconds": 0} for row in resumed] == [row | {"seconds": 0} for row in whole]
