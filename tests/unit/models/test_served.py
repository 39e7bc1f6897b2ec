"""A server of the test's own, which answers as OpenAI's protocol says and remembers what it was asked."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from course_utils.errors import ServiceError
from course_utils.models import ask_server
from course_utils.prompts import to_messages
from tests.http_servers import JsonHandler, LocalServer, serve

CHAT = to_messages("table item: name text", "How many?")


class Recorder(JsonHandler):
    """Says back what it was asked, last word first."""

    def do_POST(self) -> None:
        body = self.read_json()
        self.server.asked.append((self.path, body, self.headers.get("Authorization", "")))
        if self.server.refusal:
            return self.answer(*self.server.refusal)
        if self.server.is_strict and "chat_template_kwargs" in body:
            return self.answer({"error": "Unrecognized request argument supplied: chat_template_kwargs"}, 400)
        text = body.get("prompt") or body["messages"][-1]["content"]
        said = {"message": {"content": text[::-1]}} if "messages" in body else {"text": text[::-1]}
        return self.answer({"choices": [said | {"finish_reason": "length" if "long" in text else "stop"}]})


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serve(Recorder, asked=[], is_strict=False, refusal=None) as running:
        yield running


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_chats_and_documents_go_to_their_own_address(server: LocalServer, end: str) -> None:
    replies = [ask_server(server.url + end, [p], model="m", max_new_tokens=7)[0] for p in (CHAT, "a document")]
    assert [reply.text for reply in replies] == ["?ynam woH", "tnemucod a"]
    (chat_path, chat, _), (path, document, _) = server.asked
    assert (chat_path, path) == ("/v1/chat/completions", "/v1/completions")
    assert chat["messages"] == CHAT
    assert document["stop"] == ["```"]
    assert all((body["model"], body["temperature"], body["max_tokens"]) == ("m", 0, 7) for body in (chat, document))


def test_replies_keep_the_order_of_their_prompts_and_say_whether_they_ended(server: LocalServer) -> None:
    prompts = [f"{number} {'long' if number % 3 == 0 else ''}" for number in range(20)]
    replies = ask_server(server.url, prompts, model="m", max_new_tokens=7)
    assert [reply.text[::-1] for reply in replies] == prompts
    assert [reply.stopped for reply in replies] == [number % 3 != 0 for number in range(20)]
    assert ask_server(server.url, [], model="m", max_new_tokens=7) == []


def test_a_server_that_refuses_unknown_fields_is_asked_without_them(server: LocalServer) -> None:
    server.is_strict = True
    assert ask_server(server.url, [CHAT], model="m", max_new_tokens=7)[0].text == "?ynam woH"


def test_the_key_comes_from_the_environment(server: LocalServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sesame")
    ask_server(server.url, ["x"], model="m", max_new_tokens=7)
    monkeypatch.setenv("OPENAI_API_KEY", "sesame\r")  # from a file of Windows
    ask_server(server.url, ["x"], model="m", max_new_tokens=7)
    assert [key for *_, key in server.asked] == ["Bearer sesame"] * 2


@pytest.mark.parametrize("key", ["ses\rame", "“sesame”"])
def test_a_key_that_is_none_is_refused_and_not_shown(
    key: str, server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(ServiceError, match="OPENAI_API_KEY: a key has") as refused:
        ask_server(server.url, ["x"], model="m", max_new_tokens=7)
    assert "ame" not in str(refused.value)


@pytest.mark.parametrize("prompt", [CHAT, "a document"])
def test_what_a_server_refuses_is_said_in_its_own_words(server: LocalServer, prompt: Any) -> None:
    server.refusal = {"error": "the request exceeds the available context size"}, 400
    with pytest.raises(ServiceError, match=r"answers 400 .*exceeds the available context size.*; shorten the prompts"):
        ask_server(server.url, [prompt], model="m", max_new_tokens=7)
    server.refusal = {"error": "too many requests"}, 429
    with pytest.raises(ServiceError, match=r"answers 429 .*too many requests.*; wait, and ask again"):
        ask_server(server.url, [prompt], model="m", max_new_tokens=7)


def test_a_reply_that_is_no_text_is_an_error(server: LocalServer) -> None:
    parts = [{"type": "text", "text": "SELECT 1"}]
    server.refusal = {"choices": [{"message": {"content": parts}, "finish_reason": "stop"}]}, 200
    with pytest.raises(ServiceError, match="content is not a text"):
        ask_server(server.url, [CHAT], model="m", max_new_tokens=7)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://127.0.0.1:80a0", "http://[::1"])
def test_nobody_there_is_said_with_the_address(url: str) -> None:
    with pytest.raises(ServiceError, match=f"{re.escape(url)}: .*is the model server running"):
        ask_server(url, ["x"], model="m", max_new_tokens=7)
