"""``course predict`` asks real models behind each engine, and a killed one goes on where it stopped."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from course_utils.artifacts import open_course
from course_utils.cli import app
from course_utils.files import PROJECT, write_json, write_jsonl
from course_utils.models.generation import SERVED_AT_ONCE
from course_utils.processes import Server
from tests.http_servers import JsonHandler, LocalServer, serve

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
    predict: Callable[..., list[dict[str, Any]]], tiny_gguf: Path, model_server: Server, options: tuple[str, ...]
) -> None:
    engines = {"transformers": BASE, "llama.cpp": tiny_gguf, "url": f"{model_server.url}/v1"}
    answers = {
        name: [row["predicted"] for row in predict(model, "--first", "4", *options, name=name)]
        for name, model in engines.items()
    }
    assert answers["transformers"] == answers["llama.cpp"] == answers["url"]
    assert all(query.startswith("SELECT") for query in answers["url"]) == bool(options)


class Slow(JsonHandler):
    """A model that answers with the question, and falls silent once it has been asked so many."""

    lock = threading.Lock()

    def do_POST(self) -> None:
        said = {"message": {"content": self.read_json()["messages"][-1]["content"]}, "finish_reason": "stop"}
        with self.lock:
            self.server.n_asked += 1
        if self.server.n_asked > self.server.silent_after:
            threading.Event().wait(60)
        self.answer({"choices": [said]})


@pytest.fixture
def slow() -> Iterator[LocalServer]:
    with serve(Slow, n_asked=0, silent_after=10**9) as server:
        yield server


def test_a_killed_run_resumes_to_the_same_file(
    predict: Callable[..., list[dict[str, Any]]], slow: LocalServer, artifacts: Path, tmp_path: Path
) -> None:
    whole = predict(slow.url, "--served-as", "x", name="whole")
    out, slow.n_asked, slow.silent_after = tmp_path / "killed.jsonl", 0, 45
    command = [sys.executable, "-m", "course_utils.cli", "predict", slow.url, str(out), "--served-as", "x"]
    running = subprocess.Popen([*command, "--artifacts", str(artifacts)], cwd=PROJECT, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            if out.is_file() and out.read_bytes().count(b"\n") == SERVED_AT_ONCE and slow.n_asked > slow.silent_after:
                break
            assert running.poll() is None
            threading.Event().wait(0.05)
    finally:
        running.send_signal(signal.SIGKILL)
        running.wait()
    begun = (tmp_path / "whole.jsonl").read_bytes().splitlines()[SERVED_AT_ONCE][:77]
    out.write_bytes(out.read_bytes() + begun)  # as a kill in the middle of writing would leave it
    slow.n_asked, slow.silent_after = 0, 10**9
    resumed = predict(slow.url, "--served-as", "x", name="killed")
    assert slow.n_asked == N_ROWS - SERVED_AT_ONCE
    assert [row | {"seconds": 0} for row in resumed] == [row | {"seconds": 0} for row in whole]
