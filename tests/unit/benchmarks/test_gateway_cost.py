"""The benchmark of the gateway counts every request, and its notes say what lies between the two sides."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from benchmarks.gateway import LLAMA_CPP, PATH, TARGETS, to_markdown
from benchmarks.http_load import send_repeatedly
from benchmarks.synthetic_model import serve
from course_utils.processes import choose_port

BODY = {"messages": [{"role": "user", "content": "How many singers are there?"}]}


@pytest.fixture
def url() -> Iterator[str]:
    port, loop = choose_port("127.0.0.1"), asyncio.new_event_loop()
    server = loop.run_until_complete(serve(port, seconds=0.005))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"http://127.0.0.1:{port}{PATH}"
    loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_every_client_waits_for_its_reply(url: str) -> None:
    taken = send_repeatedly(url, url, bodies=[BODY, BODY | {"temperature": 0}], n_clients=3, seconds=0.2)
    assert len(taken) >= 3
    assert min(taken) >= 0.005


def test_notes_tell_what_the_gateway_adds() -> None:
    bare, through = {"per_s": 100.0, "p50_ms": 20.0, "p99_ms": 30.0}, {"per_s": 90.0, "p50_ms": 22.0, "p99_ms": 45.0}
    hits = {"per_s": 700.0, "cpu_ms": 0.5, "p50_ms_of_one_client": 1.0, "p99_ms_of_one_client": 2.0}
    sides = {LLAMA_CPP: {"bare": bare | {"model_cpu_ms": 5.0}, "gateway": through | {"cpu_ms": 1.25}}}
    machine, result = {"cpu": "a CPU", "n_cores": 2}, {"load_average": 0.1, "n_clients": 16, "targets": TARGETS}
    notes = to_markdown(result | {"machine": machine, "model_servers": sides, "hits": hits})
    assert "| 90% (goal 95%) | +2.0 (goal 3) | +15.0 (goal 10) | |" in notes
    assert "both share busy cores, 80% of the bare rate" in notes
    assert "| 2000 | 1500 |" in notes
