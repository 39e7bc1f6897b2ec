"""The web app in a browser, by keyboard, before the real stack; and every page under axe's rules of WCAG A and AA."""

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from socket import create_connection
from typing import Any

import httpx
import pandas as pd
import pytest
import streamlit as st
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.testing.v1 import AppTest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from course_utils.deployment import start_gateway
from course_utils.files import PROJECT, read_jsonl
from course_utils.processes import Server
from deploy.services import start_webapp
from deploy.webapp.ask import choose_chart, number_repeated
from tests.http_servers import JsonHandler, serve
from tests.stack.conftest import build_databases
from tests.waiting import comes_true

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
BROWSER_OPTIONS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
KEY = "open-sesame"
SCRIPT = PROJECT / "deploy" / "webapp" / "__main__.py"
OUTSIDE = ".stMain img, .stMain a:not([href^='#'])"  # elements that Markdown of users or models could add to a page
expect.set_options(timeout=30_000)  # a busy machine draws slowly
FOCUSED = """(() => { const element = document.activeElement;
    return element.matches('a, button, input, textarea') ? element.ariaLabel || element.innerText : '' })()"""
ENDS_AT_THE_LEFT = """each => {
    const text = document.createTreeWalker(each, NodeFilter.SHOW_TEXT).nextNode(), range = document.createRange();
    const left = at => {
        range.setStart(text, at); range.setEnd(text, at + 1); return range.getBoundingClientRect().left };
    return left(text.length - 1) < left(0) }"""

in_browser = [
    pytest.mark.takes(60),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)"),
]


@pytest.mark.parametrize(
    ("columns", "chart"),
    [
        ({"city": ["Rome", "Oslo"], "n": [1, 2]}, st.bar_chart),
        ({"day": ["2026-01-31", "2026-02-01"], "n": [1.5, None]}, st.line_chart),
        ({"month": ["2026-01", "2026-02"], "n": [1, 2]}, st.line_chart),
        ({"at": ["2026-03-28 12:00:00+01", "2026-03-30 12:00:00+02"], "n": [1, 2]}, st.line_chart),  # of PostgreSQL
        ({"city": ["Rome"], "n": [1]}, None),
        ({"city": ["Rome", "Rome"], "n": [1, 2]}, None),
        ({"day": ["2026-01-31", "2026-01-31"], "n": [1, 2]}, None),
        ({"n": [1, 2], "m": [3, 4]}, None),
        ({"city": ["Rome", "Oslo"], "n": [1, 2], "m": [3, 4]}, None),
        ({"city": ["Rome", "Oslo"]}, None),
        ({"": ["Rome", "Oslo"], "n": [1, 2]}, None),
        ({}, None),
    ],
)
def test_the_types_of_the_columns_choose_the_chart(columns: dict[str, list[object]], chart: object) -> None:
    chosen = choose_chart(pd.DataFrame(columns))
    assert getattr(chosen, "__name__", None) == getattr(chart, "__name__", None)


def test_columns_of_one_name_are_told_apart() -> None:
    assert number_repeated(["name", "name (2)", "name", "", "name", ""]) == [
        "name",
        "name (2)",
        "name (3)",
        "",
        "name (4)",
        " (2)",
    ]
    began = time.perf_counter()
    assert len({*number_repeated(["name"] * 2000)}) == 2000  # which is what SQLite allows
    assert time.perf_counter() - began < 1


def draw_two_of_a_name() -> None:
    from deploy.webapp.ask import show_answer

    answer = {"rows": [["Ana", "Rome"], ["Ben", "Oslo"]], "columns": ["name", "name"], "query": "SELECT 1"}
    show_answer(answer | {"error": None, "checks": {}, "seconds": {}, "truncated": False, "cache": "off"}, "Who?")


def test_a_table_with_columns_of_one_name_is_drawn() -> None:
    app = AppTest.from_function(draw_two_of_a_name).run(timeout=60)
    assert not app.exception
    assert [*app.dataframe[0].value.columns] == ["name", "name (2)"]


def draw(module: str, page: str) -> None:
    from importlib import import_module

    import streamlit as st

    st.session_state.setdefault("key", "")
    getattr(import_module(f"deploy.webapp.{module}"), page)()


@pytest.mark.parametrize(
    "page",
    [
        ("ask", "show_ask"),
        ("compare_models", "show_compare"),
        ("rate", "show_rate"),
        ("review", "show_review"),
        ("admin", "show_admin"),
    ],
    ids=lambda page: page[0],
)
def test_a_visitor_without_a_key_is_not_in_the_audit_log(
    guarded: tuple[Server, Server], audit_file: Path, monkeypatch: pytest.MonkeyPatch, page: tuple[str, str]
) -> None:
    monkeypatch.setenv("COURSE_GATEWAY_URL", guarded[0].url)
    st.cache_resource.clear()
    before = audit_file.read_text()
    app = AppTest.from_function(draw, args=page).run(timeout=60)
    assert "type it at the side" in app.error[0].value
    assert audit_file.read_text() == before
    app.session_state["key"] = "wrong"
    app.run()
    assert "type it at the side" in app.error[0].value
    assert comes_true(lambda: audit_file.read_text() != before), "a request is noted when its answer has left"
    assert len(audit_file.read_text().splitlines()) == len(before.splitlines()) + 1


class Stranger(JsonHandler):
    """What answers in the gateway's place, such as a proxy."""

    def do_GET(self) -> None:
        status, body = self.server.says
        self.server.cookies.append(self.headers["Cookie"])
        kind = "text/html" if body.startswith(b"<") else "application/json"
        self.answer(body, status, Set_Cookie="session=of-whoever-asked-first", Content_Type=kind)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (502, b"<html><h1>502 Bad Gateway</h1></html>"),
        (200, b"<html><h1>Sign in</h1></html>"),
        (413, b""),
        (403, b'{"message": "Forbidden"}'),
        (403, b'{"error": "Forbidden"}'),
        (429, b'["slow down"]'),
        (500, b"null"),
    ],
)
def test_who_answers_in_the_gateways_place_is_told_by_the_status(
    monkeypatch: pytest.MonkeyPatch, status: int, body: bytes
) -> None:
    st.cache_resource.clear()
    app = AppTest.from_function(draw, args=("ask", "show_ask"))
    app.session_state["key"] = KEY
    with serve(Stranger, says=(status, body), cookies=(cookies := [])) as stranger:
        monkeypatch.setenv("COURSE_GATEWAY_URL", stranger.url)
        for _ in range(2):
            app.run(timeout=60)
            assert not app.exception
            assert f"before the gateway answers {status} " in app.error[0].value
    assert cookies == [None, None], "one user's is no other's"


@pytest.mark.parametrize("typed", ["wröng", "wrong\ufe0f", "key 1"])
def test_a_key_that_no_header_takes_is_a_wrong_one_and_stays_hidden(
    guarded: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    monkeypatch.setenv("COURSE_GATEWAY_URL", guarded[0].url)
    st.cache_resource.clear()
    app = AppTest.from_file(str(SCRIPT)).run(timeout=60)
    app.sidebar.text_input[0].set_value(f" {typed} ").run()
    assert "type it at the side" in app.error[0].value
    assert typed not in app.error[0].value
    app.sidebar.text_input[0].set_value(f" {KEY} ").run()
    assert not app.error


def test_a_database_may_be_called_what_means_something_in_an_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_databases(tmp_path)
    (tmp_path / "music" / "music.sqlite").rename(tmp_path / "music" / "50%25? #1 ü.sqlite")
    (tmp_path / "music").rename(tmp_path / "50%25? #1 ü")
    with start_gateway("http://127.0.0.1:9", tmp_path) as gateway:
        monkeypatch.setenv("COURSE_GATEWAY_URL", gateway.url)
        st.cache_resource.clear()
        app = AppTest.from_function(draw, args=("ask", "show_ask"))
        app.session_state["key"] = KEY
        app.run(timeout=60)
    assert (app.selectbox[0].value, app.code[0].value) == ("50%25? #1 ü", "table singer: name text")


def test_an_admin_sees_what_is_not_ready(guarded: tuple[Server, Server], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURSE_GATEWAY_URL", guarded[0].url)
    st.cache_resource.clear()
    app = AppTest.from_function(draw, args=("admin", "show_admin"))
    app.session_state["key"] = KEY
    app.run(timeout=60)
    ready = app.caption[0].value.replace("\\", "")
    assert "ready: False" in ready, "the model that echoes knows no /health"
    assert "databases: ok, n_databases: 1" in ready


def test_only_callers_may_rate_and_names_are_short(
    guarded: tuple[Server, Server], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COURSE_GATEWAY_URL", guarded[0].url)
    monkeypatch.setenv("COURSE_APP_RESULTS", str(results))
    st.cache_resource.clear()
    app = AppTest.from_function(draw, args=("rate", "show_rate")).run(timeout=60)
    assert "type it at the side" in app.error[0].value
    assert not app.text_input
    app.session_state["key"] = KEY
    app.run()
    app.text_input[0].set_value("x" * 5000).run()
    app.button[0].click().run()
    assert not app.exception
    (rating,) = read_jsonl(file := results / "ratings.jsonl")
    assert rating["rater"] == "x" * 100
    file.write_text(json.dumps(rating | {"rater": "y" * 10_000_000}) + "\n")
    app.button[0].click().run()
    assert not app.exception
    assert "no room for more ratings" in app.error[0].value.replace("\\", "")
    assert len(read_jsonl(file)) == 1


class Echo(JsonHandler):
    """A model server that answers with the question, so that a test can write the query."""

    def do_POST(self) -> None:
        body = self.read_json()
        text = body["messages"][-1]["content"]
        if body.get("stream"):
            events = [json.dumps({"choices": [{"delta": {"content": f"{word} "}}]}) for word in text.split()]
            self.answer("".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode())
        else:
            self.say(text)


@pytest.fixture(scope="module")
def audit_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit") / "audit.jsonl"


@pytest.fixture(scope="module")
def guarded(
    databases: Path, audit_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """A gateway with a key before the model that echoes, and a web app that has no key."""
    folder = tmp_path_factory.mktemp("guarded")
    settings = {"COURSE_API_KEY": KEY, "COURSE_KEYS_FILE": str(folder / "keys.sqlite")}
    settings |= {"COURSE_FEEDBACK_FILE": str(folder / "feedback.jsonl"), "COURSE_QUERY_TIMEOUT_S": "1"}
    with serve(Echo) as model:
        settings |= {"COURSE_MODELS": json.dumps({"second": {"url": model.url}}), "COURSE_AUDIT_FILE": str(audit_file)}
        with (
            start_gateway(model.url, databases, settings=settings) as gateway,
            start_webapp(gateway.url, folder) as app,
        ):
            yield gateway, app


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Predictions of two models, as notebook 4 leaves them."""
    folder = tmp_path / "evaluation" / "predictions"
    folder.mkdir(parents=True)
    for model in ("old", "new"):
        question = {"db_id": "music", "question": "Who sings?", "query": "SELECT name FROM singer"}
        rows = [question | {"id": str(i), "predicted": f"SELECT '{model}' -- {i}"} for i in range(3)]
        (folder / f"{model}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, tmp_path: Path) -> Iterator[Callable[..., Page]]:
    """Open an address; at the end, also of a failure, a picture of each page stays in the test's folder."""
    pages = []

    def open_one(url: str, **options: object) -> Page:
        pages.append(browser.new_page(**options))
        pages[-1].goto(url)
        return pages[-1]

    yield open_one
    for number, page in enumerate(pages):
        page.screenshot(path=tmp_path / f"page-{number}.png")
        page.close()


def settle(page: Page) -> None:
    page.wait_for_selector("h1")
    page.wait_for_selector("[data-test-script-state=notRunning]")


def violations(page: Page) -> list[str]:
    """axe's serious and critical violations of accessibility."""
    settle(page)
    found = Axe().run(page, options={"runOnly": WCAG, "resultTypes": ["violations"]}).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found if each["impact"] in ("serious", "critical")]


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of this name has the focus."""
    settle(page)
    for _ in range(40):
        if any(line.startswith(name) for line in page.evaluate(FOCUSED).splitlines()):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"the keyboard does not reach {name!r}")


def type_key(page: Page, key: str = KEY) -> None:
    tab_to(page, "API key")
    page.keyboard.type(key)
    page.keyboard.press("Enter")
    expect(page.get_by_text("An API key is needed")).to_have_count(0)


def go_to(page: Page, name: str, title: str) -> None:
    tab_to(page, name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    settle(page)  # what is typed while a page still runs is lost


@contextmanager
def open_session(url: str) -> Iterator[str]:
    """Open a page as a browser without a key; while it is open, Streamlit accepts uploads from it."""
    with connect(f"{url.replace('http', 'ws')}/_stcore/stream", subprotocols=[Subprotocol("streamlit")]) as socket:
        socket.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        message = ForwardMsg()
        while message.WhichOneof("type") != "new_session":
            message = ForwardMsg.FromString(socket.recv(30))
        yield message.new_session.initialize.session_id


def test_a_site_whose_name_is_made_to_point_here_opens_no_page(guarded: tuple[Server, Server]) -> None:
    """DNS rebinding: its page would ask with the app's own key, or as the admin whom a gateway without keys sees."""
    port = int(guarded[1].url.rpartition(":")[2])
    for name, opens in (("127.0.0.1", True), ("localhost", True), ("evil.example", False), ("a.localhost", False)):
        given: Any = {"sock": create_connection(("127.0.0.1", port)), "origin": f"http://{name}:{port}"}
        refused = nullcontext() if opens else pytest.raises(InvalidStatus, match="403")
        with refused, connect(f"ws://{name}:{port}/_stcore/stream", **given, subprotocols=[Subprotocol("streamlit")]):
            pass


def test_a_visitor_cannot_fill_the_apps_memory(guarded: tuple[Server, Server]) -> None:
    token = "2|01234567|a9d7f6ae8f8b8c3f0f6ae0a7f5f6a1d2|1700000000"  # invented by the caller
    headers = {"X-Xsrftoken": token, "Content-Type": "multipart/form-data; boundary=b"}
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\nx\r\n--b--\r\n'
    with (
        httpx.Client(trust_env=False, cookies={"_streamlit_xsrf": token}) as client,
        open_session(guarded[1].url) as session,
    ):
        for content in (file, iter([file])):  # the second tells no length
            sent = client.put(f"{guarded[1].url}/_stcore/upload_file/{session}/x", headers=headers, content=content)
            assert sent.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE


class TestInABrowser:
    pytestmark = in_browser

    def test_people_ask_compare_and_rate_by_keyboard(
        self, gateway: Server, feedback_file: Path, results: Path, open_page: Callable[..., Page]
    ) -> None:
        with start_webapp(gateway.url, results, key="any") as app:
            page = open_page(app.url)
            tab_to(page, "Question")
            page.keyboard.type("How many singers are there?")
            page.keyboard.press("Enter")
            expect(page.get_by_role("heading", name="How many singers are there?")).to_be_visible()
            tab_to(page, "The query that would be right")
            page.keyboard.type("SELECT count(*) FROM singers")
            page.keyboard.press("Enter")
            expect(page.get_by_text("no such table: singers")).to_be_visible()
            tab_to(page, "The query that would be right")
            page.keyboard.press("End")
            page.keyboard.press("Backspace")
            page.keyboard.press("Shift+Tab")
            page.keyboard.press("Space")
            tab_to(page, "Send")
            page.keyboard.press("Enter")
            expect(page.get_by_text("Thank you")).to_be_visible()
            assert violations(page) == []
            said = read_jsonl(feedback_file)[-1]
            assert (said["correction"], said["database"]) == ("SELECT count(*) FROM singer", "music")

            go_to(page, "Compare", "Compare two models")
            expect(page.get_by_text("COURSE_MODELS")).to_be_visible()
            tab_to(page, "Question")
            page.keyboard.type("How many singers are there?")
            page.keyboard.press("Enter")
            expect(page.get_by_text("the first word after")).to_be_visible()
            assert page.locator(".stCode").last.inner_text().strip()
            assert violations(page) == []

            go_to(page, "Rate", "Rate answers blind")
            tab_to(page, "Your name")
            page.keyboard.type("Ana")
            page.keyboard.press("Enter")
            expect(page.get_by_text("3 left")).to_be_visible()
            assert violations(page) == []
            tab_to(page, "The first is better")
            for n_left, key in ((2, "1"), (1, "2")):
                page.keyboard.press(key)
                expect(page.get_by_text(f"{n_left} left")).to_be_visible()
            page.reload()
            tab_to(page, "Your name")
            page.keyboard.type("Ana")
            page.keyboard.press("Enter")
            expect(page.get_by_text("1 left")).to_be_visible()
            tab_to(page, "Both alike")
            page.keyboard.press("0")
            expect(page.get_by_text("All pairs are rated")).to_be_visible()
            rated = read_jsonl(results / "ratings.jsonl")
            assert [each["winner"] for each in rated] == [rated[0]["models"][0], rated[1]["models"][1], "tie"]
            assert len({each["id"] for each in rated}) == 3
            (results / "evaluation" / "predictions" / "~new~.jsonl").write_text("no JSON")
            page.reload()
            page.get_by_role("textbox", name="Your name").fill("Ben")
            page.keyboard.press("Enter")
            expect(page.get_by_text("~new~.jsonl")).to_be_visible()

            go_to(page, "Admin", "Admin")
            expect(page.get_by_text("no API keys are kept here; set COURSE_KEYS_FILE")).to_be_visible()
            assert violations(page) == []

    def test_answers_are_drawn_for_who_has_the_key(
        self, guarded: tuple[Server, Server], open_page: Callable[..., Page]
    ) -> None:
        page = open_page(guarded[1].url, color_scheme="dark", viewport={"width": 420, "height": 900})
        expect(page.get_by_text("An API key is needed")).to_be_visible()
        page.set_viewport_size({"width": 1280, "height": 900})
        type_key(page)
        for query, drawn in (
            ("SELECT count(*) AS '![x](http://127.0.0.1:9/)' FROM singer", ".stMetric"),
            ("SELECT name, length(name) FROM singer", ".stVegaLiteChart"),
            ("SELECT '2026-01-0' || rowid AS day, rowid FROM singer", ".stVegaLiteChart"),
            ("SELECT name FROM singer WHERE name = 'x'", ".stDataFrame"),
            ('SELECT "![x](http://127.0.0.1:9/)" FROM [http://127.0.0.1:9/www.x.y]', ".stAlert"),
        ):
            settle(page)
            page.get_by_role("textbox", name="Question").fill(query)
            page.keyboard.press("Enter")
            shown = query.replace("http:", "http\u2060:").replace("www.", "www\u2060.")
            expect(page.get_by_role("heading", name=shown)).to_be_visible()
            expect(page.locator(drawn).last).to_be_visible()
            assert violations(page) == []
            assert page.locator(OUTSIDE).count() == 0, "what a model writes is no Markdown"
        page.get_by_role("textbox", name="Question").fill("SELECT replace(hex(zeroblob(99)), '0', 'long ') || '!'")
        page.keyboard.press("Enter")
        expect(page.locator(".stMetric")).to_contain_text("!")
        assert page.locator(".stMetric *").evaluate_all(
            "all => all.every(each => each.scrollWidth <= each.clientWidth)"
        )
        page.get_by_role("textbox", name="Question").fill("من هو المغني?")
        page.keyboard.press("Enter")
        expect(heading := page.get_by_role("heading", name="من هو المغني?")).to_be_visible()
        assert heading.evaluate(ENDS_AT_THE_LEFT)
        go_to(page, "Compare", "Compare two models")
        page.get_by_role("textbox", name="Question").fill("SELECT 1 + 1")
        page.keyboard.press("Enter")
        expect(page.get_by_text("the first word after")).to_have_count(2)
        assert [code.strip() for code in page.locator(".stColumn .stCode").all_inner_texts()] == ["SELECT 1 + 1"] * 2
        page.set_viewport_size({"width": 420, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= 420
        assert not any(KEY in server.read_log() for server in guarded)

    def test_an_admin_makes_a_key_and_ends_it(
        self, guarded: tuple[Server, Server], audit_file: Path, open_page: Callable[..., Page]
    ) -> None:
        gateway, app = guarded

        def status(key: str) -> int:
            headers = {"Authorization": f"Bearer {key}"}
            return httpx.get(f"{gateway.url}/v1/models", headers=headers, trust_env=False).status_code

        page = open_page(f"{app.url}/admin")
        type_key(page)
        tab_to(page, "Name")
        page.keyboard.type("dash*board*")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Copy the key now")).to_be_visible()
        key = page.locator(".stCode").inner_text().strip()
        assert violations(page) == []
        assert status(key) == httpx.codes.OK
        other = open_page(f"{app.url}/admin")
        type_key(other, key)
        expect(other.get_by_text("this needs the scope")).to_be_visible()
        other.wait_for_timeout(4000)  # longer than the interval of the numbers
        assert [line["status"] for line in read_jsonl(audit_file)].count(httpx.codes.FORBIDDEN) == 1
        page.bring_to_front()
        go_to(page, "Rate", "Rate answers blind")
        go_to(page, "Admin", "Admin")
        expect(page.get_by_text("name dash*board*, scope user")).to_be_visible()
        assert key not in page.content()
        tab_to(page, "Delete dash*board*")
        page.keyboard.press("Enter")
        tab_to(page, "Yes, delete it")
        page.keyboard.press("Enter")
        expect(page.get_by_text("name dash*board*")).to_have_count(0)
        assert status(key) == httpx.codes.UNAUTHORIZED

    def test_an_admin_reviews_by_keyboard_what_is_in_doubt(
        self, guarded: tuple[Server, Server], open_page: Callable[..., Page]
    ) -> None:
        gateway, app = guarded
        http = httpx.Client(base_url=gateway.url, headers={"Authorization": f"Bearer {KEY}"}, trust_env=False)

        def doubt(question: str, query: str, **more: str) -> None:
            said = {"id": "sql-1", "rating": "down", "database": "music", "question": question, "query": query}
            assert http.post("/v1/feedback", json=said | more).status_code == httpx.codes.CREATED

        doubt("Who sings? ![x](http://127.0.0.1:9/)", "SELECT nobody FROM singer", comment="<img src=x> **no**")
        doubt("How many?", "SELECT name FROM singer", correction="SELECT count(*) AS n FROM singer")
        doubt("Where?", "SELECT 1", database="http://127.0.0.1:9/www.x.y")
        pages = []
        for _ in range(2):
            pages.append(each := open_page(f"{app.url}/review"))
            expect(each.get_by_text("An API key is needed")).to_be_visible()
            type_key(each)
            expect(each.get_by_text("3 wait")).to_be_visible()
            expect(each.get_by_text("The database refuses the query: no such column: nobody").first).to_be_visible()
        page, other = pages
        page.bring_to_front()
        assert page.locator(OUTSIDE).count() == 0
        assert violations(page) == []

        accept = page.get_by_role("button", name="Accept this query")
        for query, refusal in (
            ("just text", "syntax error"),
            ("DELETE FROM singer", "refuses the query"),
            ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT max(i) FROM n", "longer than 1 s"),
            ("SELECT 1 --" + "x" * 1_000_000, "larger than 65536 bytes"),
        ):
            page.get_by_role("textbox", name="The query that is right").fill(query)
            page.keyboard.press("Control+Enter")
            expect(page.get_by_text(refusal).last).to_be_visible()
            settle(page)
            assert accept.count() == 0 or accept.is_disabled()
        tab_to(page, "The query that is right")
        page.keyboard.press("Control+a")
        page.keyboard.type("SELECT name FROM singer WHERE name < 'C'")
        page.keyboard.press("Tab")
        expect(accept).to_be_enabled()
        assert violations(page) == []
        tab_to(page, "Accept this query")
        page.keyboard.press("Enter")
        expect(page.get_by_text("2 wait")).to_be_visible()
        other.bring_to_front()
        tab_to(other, "Dismiss")
        other.keyboard.press("Enter")
        expect(other.get_by_text("2 wait")).to_be_visible()
        expect(other.get_by_text("How many?", exact=True)).to_be_visible()
        assert len(http.get("/v1/admin/reviews").json()["data"]) == 2, "pressed for what another has decided"

        page.bring_to_front()
        expect(page.get_by_text("How many?", exact=True)).to_be_visible()
        expect(page.locator(".stMetric")).to_contain_text("3")
        tab_to(page, "Accept this query")
        page.keyboard.press("Enter")
        expect(page.get_by_text("no database")).to_be_visible()
        assert page.locator(OUTSIDE).count() == 0
        tab_to(page, "Dismiss")
        page.keyboard.press("Enter")
        expect(page.get_by_text("0 wait")).to_be_visible()
        assert violations(page) == []
        assert http.get("/v1/admin/reviews").json()["data"] == []
        http.close()

    def test_the_page_says_what_is_wrong_with_the_gateway(self, results: Path, open_page: Callable[..., Page]) -> None:
        with start_webapp("http://127.0.0.1:9", results, key=KEY) as app:
            page = open_page(app.url)
            expect(page.get_by_text("is it running?")).to_be_visible()
            assert violations(page) == []
            assert KEY not in page.content() + app.read_log()
