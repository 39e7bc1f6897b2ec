"""Servers start, refuse to start, and always stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from course_utils.artifacts import PROJECT, Course
from course_utils.deployment import Stack, answer_in_transformers, answer_over_http, running_model_server, running_stack
from course_utils.errors import ArtifactError, ServiceError
from course_utils.models import load_tokenizer
from course_utils.prompts import to_messages

BASE = PROJECT / "data" / "tiny_base"


def is_listening(url: str) -> bool:
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def wait_until(condition: Callable[[], bool], seconds: float = 150) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def serve(course: Course, url_file: Path, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "course_utils.deployment.serve", "--profile", course.profile.name]
    command += ["--artifacts", str(course.root.parent), "--port", "0", "--url-file", str(url_file), *more]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_server_applies_the_tokenizers_template_and_answers_like_transformers(stack: Stack) -> None:
    questions = ["How many singers are there?", "List every name.", "Which city has 12 shops?"]
    conversations = [to_messages("table singer: name text, age integer", question) for question in questions]
    wanted = load_tokenizer(BASE).apply_chat_template(conversations[0], tokenize=False, add_generation_prompt=True)
    prompt = httpx.post(f"{stack.model_url}/apply-template", json={"messages": conversations[0]}).json()["prompt"]
    assert prompt == wanted
    reference = answer_in_transformers(BASE, conversations, max_new_tokens=16)
    assert answer_over_http(stack.model_url, conversations, max_new_tokens=16) == reference


def test_server_splits_text_like_the_tokenizer(stack: Stack) -> None:
    text = "SELECT name, 'Zoë 日本' FROM t1 WHERE age >= 1234.5  AND\n\tcity <> 'x'"
    ids = httpx.post(f"{stack.model_url}/tokenize", json={"content": text}).json()["tokens"]
    assert ids == load_tokenizer(BASE)(text)["input_ids"]


def test_everything_stops_with_the_block(gguf: Path, databases: Path) -> None:
    with running_stack(gguf, databases) as running:
        urls = [running.url, running.model_url]
        assert all(is_listening(url) for url in urls)
    assert not any(is_listening(url) for url in urls)


def test_a_port_in_use(stack: Stack, gguf: Path, databases: Path) -> None:
    port = int(stack.url.rsplit(":", 1)[1])
    with pytest.raises(ServiceError, match=rf":{port}: cannot listen there"), running_stack(gguf, databases, port=port):
        pytest.fail("it must not start")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF but nothing else")
    with pytest.raises(ServiceError, match="cannot serve this file"), running_model_server(tmp_path / "model.gguf"):
        pytest.fail("it must not start")


def test_a_server_that_dies_is_noticed(gguf: Path) -> None:
    with running_model_server(gguf) as server:
        server.process.kill()
        server.process.wait()
        with pytest.raises(ServiceError, match="the model server ended with exit code -9"):
            server.check()


def test_serve_writes_its_address_and_stops_on_sigterm(make_course: Callable[..., Course], tmp_path: Path) -> None:
    process = serve(make_course(), tmp_path / "url")
    try:
        assert wait_until((tmp_path / "url").is_file)
        url = (tmp_path / "url").read_text("utf-8")
        assert httpx.get(f"{url}/health/ready").json()["ready"]
        assert httpx.post(f"{url}/v1/feedback", json={"id": "x", "rating": "up"}).status_code == 201
    finally:
        process.terminate()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert not is_listening(url)
    assert "Traceback" not in output


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
def test_nothing_outlives_a_killed_parent(make_course: Callable[..., Course], tmp_path: Path) -> None:
    process = serve(make_course(), tmp_path / "url")
    try:
        assert wait_until((tmp_path / "url").is_file)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    url = (tmp_path / "url").read_text("utf-8")
    assert wait_until(lambda: not is_listening(url))


def test_serve_names_the_notebook_that_is_missing(make_course: Callable[..., Course], tmp_path: Path) -> None:
    process = serve(make_course(until="evaluation"), tmp_path / "url")
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 1
    assert "notebooks/05_deployment.ipynb" in output
    assert "Traceback" not in output


def test_serve_stack_raises_for_missing_artifacts(make_course: Callable[..., Course]) -> None:
    from course_utils.deployment import serve_stack

    with pytest.raises(ArtifactError, match="05_deployment"):
        serve_stack(make_course(until="evaluation"))
