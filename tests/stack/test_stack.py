"""The servers answer as their model does, say why they cannot start, and always stop."""

import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
import torch
from peft import LoraConfig, get_peft_model
from sqlglot import parse_one
from sqlglot.expressions import Column

from course_utils.artifacts import Course
from course_utils.deployment import convert_adapter, sql_grammar, start_model_server, start_stack
from course_utils.deployment.model_server import N_PARALLEL
from course_utils.errors import ServiceError
from course_utils.files import PROJECT, read_jsonl
from course_utils.models import ask_server, generate_replies, load_model, load_tokenizer
from course_utils.monitoring import read_readiness, start_service
from course_utils.processes import Server
from course_utils.prompts import encode_prompt, to_messages
from course_utils.sql import read_schema
from course_utils.supervision import Servers
from tests.programs import is_open
from tests.waiting import comes_true

BASE = PROJECT / "data" / "tiny_base"


def test_server_applies_the_tokenizers_template_and_answers_like_transformers(model_server: Server) -> None:
    questions = ["How many singers are there?", "List every name.", "Which city has 12 shops?"]
    conversations = [to_messages("table singer: name text, age integer", question) for question in questions]
    tokenizer = load_tokenizer(BASE)
    wanted = tokenizer.apply_chat_template(conversations[0], tokenize=False, add_generation_prompt=True)
    prompt = httpx.post(f"{model_server.url}/apply-template", json={"messages": conversations[0]}).json()["prompt"]
    assert prompt == wanted
    prompts = [encode_prompt(tokenizer, messages) for messages in conversations]
    reference = generate_replies(load_model(BASE), tokenizer, prompts, max_new_tokens=16, batch_size=3)
    replies = ask_server(model_server.url, conversations, max_new_tokens=16)
    assert [reply.text for reply in replies] == [reply.text for reply in reference]


def test_server_splits_text_like_the_tokenizer(model_server: Server) -> None:
    text = "SELECT name, 'Zoë 日本' FROM t1 WHERE age >= 1234.5  AND\n\tcity <> 'x'"
    ids = httpx.post(f"{model_server.url}/tokenize", json={"content": text}).json()["tokens"]
    assert ids == load_tokenizer(BASE)(text)["input_ids"]


def test_one_server_answers_as_base_and_as_tuned_model(tiny_gguf: Path, tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = LoraConfig(r=4, lora_alpha=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    get_peft_model(load_model(BASE), config).save_pretrained(tmp_path / "adapter")
    adapter = convert_adapter(BASE, tmp_path / "adapter", tmp_path / "adapter.gguf")
    conversations, tokenizer = [to_messages("table singer: name text", "How many?")], load_tokenizer(BASE)
    prompts = [encode_prompt(tokenizer, conversations[0])]
    models = {0.0: load_model(BASE), 1.0: load_model(BASE, adapter=tmp_path / "adapter")}
    with start_model_server(tiny_gguf, adapter=adapter) as server:
        for scale, model in models.items():
            (wanted,) = generate_replies(model, tokenizer, prompts, max_new_tokens=8, batch_size=1)
            options = {"lora": [{"id": 0, "scale": scale}]}
            (reply,) = ask_server(server.url, conversations, max_new_tokens=8, options=options)
            assert reply.text == wanted.text
        (by_default,) = ask_server(server.url, conversations, max_new_tokens=8)
    assert by_default.text == reply.text


def test_a_grammar_makes_a_model_that_was_never_tuned_write_queries(model_server: Server, databases: Path) -> None:
    schema = read_schema(databases / "music" / "music.sqlite")
    conversations = [to_messages(schema.render(), question) for question in ("How many?", "Which names?", "Why?")]
    options = {"grammar": sql_grammar(schema)}
    free = ask_server(model_server.url, conversations, max_new_tokens=64)
    constrained = ask_server(model_server.url, conversations, max_new_tokens=64, options=options)
    assert not any(reply.text.startswith("SELECT ") for reply in free)
    assert all(reply.text.startswith("SELECT ") for reply in constrained)
    for reply in constrained:
        if reply.stopped:  # an untuned model may write numbers until it is cut off
            assert {column.name for column in parse_one(reply.text, dialect="sqlite").find_all(Column)} <= {"name"}


def test_the_model_server_ends_while_it_still_writes(tiny_gguf: Path) -> None:
    body = {"messages": [{"role": "user", "content": "Count."}], "stream": True, "ignore_eos": True}
    with (
        start_model_server(tiny_gguf) as server,
        httpx.Client(timeout=10, trust_env=False) as client,
        ExitStack() as opened,
    ):
        for _ in range(N_PARALLEL):
            opened.enter_context(client.stream("POST", f"{server.url}/v1/chat/completions", json=body))
        server.process.terminate()
        assert server.process.wait(5) == 0


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"GGUF but nothing else")
    runbook = (PROJECT / "deploy" / "runbook.md").read_text("utf-8")
    (said,) = re.findall(r"logs --tail 50 model`\. \*([^*]+)\* means the file", runbook)
    with pytest.raises(ServiceError, match=said):
        start_model_server(tmp_path / "model.gguf")


def test_a_port_in_use(model_server: Server, make_course: Callable[..., Course]) -> None:
    port = int(model_server.url.rsplit(":", 1)[1])
    with Servers() as servers, pytest.raises(ServiceError, match=rf":{port}: cannot listen there"):
        start_stack(servers, make_course(), port=port)


def test_the_service_answers_and_stops(make_course: Callable[..., Course], tmp_path: Path) -> None:
    course = make_course()
    log = course.root / "requests.jsonl"
    with start_service(course, tmp_path, settings={"COURSE_LOG_FILE": ""}) as service:
        assert read_readiness(service.url)["ready"]
        assert httpx.post(f"{service.url}/v1/feedback", json={"id": "x", "rating": "up"}).status_code == 201
        servers = [service.find_process(f"deployment.{name}") for name in ("gateway", "model_server")]
    assert service.process.returncode == 0
    assert not any(server.is_running() for server in servers)
    said = (tmp_path / "gateway.log").read_text("utf-8")
    assert "Traceback" not in said
    assert str(log) in said
    assert [row["route"] for row in read_jsonl(log) if row["message"] == "request"] == ["/v1/feedback"]
    assert '"rating": "up"' in (tmp_path / "feedback.jsonl").read_text("utf-8")


def test_a_killed_model_server_comes_back(make_course: Callable[..., Course], tmp_path: Path) -> None:
    body = {"question": "How many singers are there?", "database": "music"}
    with start_service(make_course(), tmp_path) as service:
        service.find_process("deployment.model_server").kill()
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answers.append(httpx.post(f"{service.url}/v1/sql", json=body, timeout=60))
            return answers[-1].is_success

        assert comes_true(is_answered, 60)
        assert service.process.poll() is None
    assert [answer.status_code for answer in answers] == [503] * (len(answers) - 1) + [200]
    logged = [row["status"] for row in read_jsonl(tmp_path / "requests.jsonl") if row.get("route") == "/v1/sql"]
    assert logged == [answer.status_code for answer in answers]
    assert len(answers) > 1
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers[:-1])
    assert "the model server is gone; starting it again" in (tmp_path / "gateway.log").read_text("utf-8")


def test_nothing_outlives_a_killed_service(make_course: Callable[..., Course], tmp_path: Path) -> None:
    with start_service(make_course(), tmp_path) as service:
        servers = [service.find_process(f"deployment.{name}") for name in ("gateway", "model_server")]
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        assert comes_true(lambda: not is_open(int(service.url.rpartition(":")[2])))
        for server in servers:
            server.wait(10)


def test_the_service_names_the_notebook_that_is_missing(make_course: Callable[..., Course], tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match=r"(?s)exit code 2.*notebooks/05_deployment\.ipynb") as raised:
        start_service(make_course(until="evaluation"), tmp_path)
    assert "Traceback" not in str(raised.value)
