"""The Hub's demo asks the real gateway; without Gradio, which is not locked, stand-ins replace its components."""

import runpy
import sys
from importlib.util import find_spec
from unittest.mock import MagicMock

import httpx
import pytest
import yaml

from course_utils.files import PROJECT
from course_utils.processes import Server

SPACE = PROJECT / "deploy" / "space"


@pytest.fixture
def demo(gateway: Server, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """The names that the demo's script defines, run against the real gateway."""
    monkeypatch.setenv("COURSE_GATEWAY_URL", gateway.url)
    if find_spec("gradio") is None:
        monkeypatch.setitem(sys.modules, "gradio", MagicMock(Error=ValueError))
    return runpy.run_path(str(SPACE / "app.py"))


def test_the_demo_asks_as_the_gateway_answers(demo: dict[str, object]) -> None:
    assert demo["list_databases"]() == ["music"]
    query, table = demo["ask"]("music", "How many singers are there?")
    assert isinstance(query, str)
    assert table.keys() == {"headers", "data"}
    assert table["headers"], "a query that fails says why"
    with pytest.raises(Exception, match="no database 'no-such'"):
        demo["ask"]("no-such", "How many singers are there?")


@pytest.mark.parametrize(
    ("status", "text"), [(502, "<h1>Bad Gateway</h1>"), (403, '{"error": "Forbidden"}'), (200, "")]
)
def test_another_servers_answer_is_shown_by_its_status(demo: dict[str, object], status: int, text: str) -> None:
    with pytest.raises(Exception, match=f"before the gateway answers {status} "):
        demo["read"](httpx.Response(status, text=text))


def test_a_gateway_that_is_away_is_named_and_keeps_no_page_from_opening(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COURSE_GATEWAY_URL", "http://127.0.0.1:9")
    if find_spec("gradio") is None:
        monkeypatch.setitem(sys.modules, "gradio", MagicMock(Error=ValueError))
    away = runpy.run_path(str(SPACE / "app.py"))
    for ask in (away["list_databases"], lambda: away["ask"]("music", "How many singers are there?")):
        with pytest.raises(Exception, match="does not answer now; try again") as told:
            ask()
        assert "127.0.0.1" not in str(told.value)


@pytest.mark.skipif(find_spec("gradio") is None, reason="Gradio is not installed (pip install gradio)")
def test_the_demo_runs(demo: dict[str, object]) -> None:
    _, url, _ = demo["demo"].launch(prevent_thread_lock=True, quiet=True)
    assert url.startswith("http://127.0.0.1")
    assert not demo["demo"].analytics_enabled, "it tells its makers of visitors"
    demo["demo"].close()


def test_the_space_is_described_as_the_hub_reads_it() -> None:
    front = yaml.safe_load((SPACE / "README.md").read_text("utf-8").split("---\n")[1])
    assert (front["sdk"], (SPACE / front["app_file"]).is_file()) == ("gradio", True)
    pins = (SPACE / "requirements.txt").read_text().splitlines()
    assert f'"{pins[0]}"' in (PROJECT / "pyproject.toml").read_text("utf-8")
