"""OpenAI's own client asks the gateway; only its base address and key are changed."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from course_utils.deployment import start_gateway
from course_utils.processes import LOOPBACK, Server, choose_port
from tests.stack.steady_model import query_for

ADMIN = {"Authorization": "Bearer of the whole"}
ASKED: dict[str, Any] = {"model": "course", "messages": [{"role": "user", "content": "What of singer 7?"}]}
ANSWER = query_for(7)
MakeClient = Callable[..., openai.OpenAI]


@pytest.fixture(scope="module")
def gateway(databases: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = choose_port(LOOPBACK)
    url = f"http://{LOOPBACK}:{port}"
    keys = {"COURSE_API_KEY": "of the whole", "COURSE_KEYS_FILE": str(tmp_path_factory.mktemp("keys") / "keys.sqlite")}
    with (
        Server("steady", "tests.stack.steady_model", ["--port", str(port)], url=url, health="/health") as model,
        start_gateway(model.url, databases, settings=keys) as server,
    ):
        yield server


@pytest.fixture
def make_client(gateway: Server) -> MakeClient:
    """A client with a key of its own."""

    def make(kind: type = openai.OpenAI, max_retries: int = 0, **limits: int) -> Any:
        new = {"name": "openai", **limits}
        made = httpx.post(f"{gateway.url}/v1/admin/keys", headers=ADMIN, json=new, trust_env=False).json()
        return kind(base_url=f"{gateway.url}/v1", api_key=made["key"], max_retries=max_retries)

    return make


def test_models_are_listed(make_client: MakeClient) -> None:
    client = make_client()
    assert [model.id for model in client.models.list()] == ["course"]
    assert client.models.retrieve("course").owned_by == "course"
    with pytest.raises(openai.NotFoundError, match="this server has 'course'") as refused:
        client.models.retrieve("gpt-4o")
    assert refused.value.code == "model_not_found"


def test_chat(make_client: MakeClient) -> None:
    reply = make_client().chat.completions.create(**ASKED, temperature=0, max_completion_tokens=20)
    assert reply.choices[0].message.content == ANSWER
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage
    assert reply.usage.completion_tokens == 10
    assert reply._request_id


def test_a_stream(make_client: MakeClient) -> None:
    pieces = [event.choices[0].delta.content for event in make_client().chat.completions.create(**ASKED, stream=True)]
    assert "".join(pieces) == ANSWER
    assert len(pieces) > 5


@pytest.mark.parametrize(
    ("changes", "error", "code", "param"),
    [
        ({"messages": []}, openai.UnprocessableEntityError, "invalid_field", "messages"),
        ({"n": 2}, openai.UnprocessableEntityError, "invalid_field", "n"),
        ({"model": "gpt-4o"}, openai.NotFoundError, "model_not_found", "model"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]},
            openai.BadRequestError,
            "unsupported_content",
            "messages",
        ),
    ],
)
def test_refusals_are_the_clients_own_errors(
    make_client: MakeClient, changes: dict[str, Any], error: type[openai.APIStatusError], code: str, param: str
) -> None:
    with pytest.raises(error) as refused:
        make_client().chat.completions.create(**ASKED | changes)
    assert (refused.value.code, refused.value.param) == (code, param)


def test_another_key_is_refused(make_client: MakeClient) -> None:
    with pytest.raises(openai.AuthenticationError) as refused:
        make_client().with_options(api_key="sk-of-somebody-else").chat.completions.create(**ASKED)
    assert refused.value.code == "invalid_api_key"


def test_a_429_says_when_to_ask_again(make_client: MakeClient) -> None:
    client = make_client(requests_per_minute=1)
    assert client.chat.completions.create(**ASKED).choices
    with pytest.raises(openai.RateLimitError) as refused:
        client.chat.completions.create(**ASKED)
    assert 0 < int(refused.value.response.headers["Retry-After"]) <= 60


def test_a_caller_who_leaves_streams_pays_for_them(make_client: MakeClient) -> None:
    client = make_client(tokens_per_minute=1)
    with client.chat.completions.create(**ASKED, stream=True) as stream:
        next(stream)
    time.sleep(0.5)
    with pytest.raises(openai.RateLimitError, match="1 tokens a minute"):
        client.chat.completions.create(**ASKED)


def test_the_client_comes_back_when_it_is_told_to(make_client: MakeClient) -> None:
    client = make_client(max_retries=3, max_concurrent=1)
    with ThreadPoolExecutor(2) as pool:
        replies = list(pool.map(lambda _: client.chat.completions.create(**ASKED), range(2)))
    assert [reply.choices[0].message.content for reply in replies] == [ANSWER] * 2


def test_a_client_that_does_not_wait(make_client: MakeClient) -> None:
    client = make_client()
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.03).chat.completions.create(**ASKED)
    assert client.chat.completions.create(**ASKED).choices


def test_a_caller_who_leaves_a_stream_gives_up_its_place(make_client: MakeClient) -> None:
    async def leave() -> str:
        async with make_client(openai.AsyncOpenAI, max_retries=3, max_concurrent=1) as client:
            for _ in range(3):
                async with await client.chat.completions.create(**ASKED, stream=True) as stream:
                    await anext(stream)
            task = asyncio.create_task(client.chat.completions.create(**ASKED, stream=True))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
            return (await client.chat.completions.create(**ASKED)).choices[0].message.content or ""

    assert asyncio.run(leave()) == ANSWER
