"""The first notebook in JupyterLab, as a person uses it: open, run all cells, click a widget, use its keys."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from course_utils.processes import LOOPBACK, choose_port

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "a-token-for-this-test"
START_S, RUN_S, WIDGET_MS = 120, 600, 30_000
BROWSER_OPTIONS = ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(START_S + RUN_S + 120),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (Debian: apt install chromium)"),
]

# JupyterLab's own model of the open notebook; the page itself draws only the cells that are in sight.
CELLS = """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.cells)
    .map(cell => cell.toJSON()).filter(cell => cell.cell_type === 'code' && cell.source.length)"""
READY = f"""() => {{ const panel = window.jupyterapp?.shell.currentWidget;
    const kernel = panel?.sessionContext?.session?.kernel;
    return panel?.context?.isReady && kernel?.status === 'idle' && ({CELLS})().length; }}"""
ENDED = f"""() => {{ const cells = ({CELLS})();
    const idle = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.status === 'idle';
    const failed = cells.some(cell => cell.outputs.some(output => output.output_type === 'error'));
    return failed || (idle && cells.every(cell => cell.execution_count)); }}"""
SHOW = """(id) => { const content = window.jupyterapp.shell.currentWidget.content;
    const cells = Array.from(content.model.cells);
    content.activeCellIndex = cells.findIndex(cell => cell.id === id);
    return content.scrollToItem(content.activeCellIndex, 'start'); }"""

RATING_PAGE = """from pathlib import Path
from course_utils.blind_rating import BlindPair
from course_utils.evaluation.side_by_side import RatingPage
row = {"id": "1", "db_id": "singers", "question": "Who sings?"}
pairs = [BlindPair(row | {"id": str(i)}, ("SELECT 1", "SELECT 2"), ("old", "new")) for i in range(3)]
RatingPage(pairs, "Ana", Path("ratings.jsonl"))"""
ACTIVE = "window.jupyterapp.shell.currentWidget.content.activeCell.model.id"


@pytest.fixture
def notebook(tmp_path):
    """A copy of the first notebook that writes under the test's folder, with the fourth's rating page behind it."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    content = json.loads((ROOT / "notebooks" / "01_setup.ipynb").read_text())
    content["cells"].append({"cell_type": "code", "id": "rating-page", "metadata": {}, "source": RATING_PAGE})
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell |= {"outputs": [], "execution_count": None}
        if "parameters" in cell["metadata"].get("tags", []):
            cell["source"] = (
                f'PROFILE = "smoke"\nDATA = {str(ROOT / "data")!r}\nMODEL = ""\n'
                f"ARTIFACTS = {str(tmp_path / 'artifacts')!r}"
            )
    path = folder / "01_setup.ipynb"
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def lab(notebook, tmp_path):
    """JupyterLab on a free port with a token, its settings in the test's folder; gives its address."""
    port = choose_port(LOOPBACK)
    settings = [f"JUPYTER{part}_DIR" for part in ("_CONFIG", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES")]
    environment = {name: str(tmp_path / name.lower()) for name in [*settings, "IPYTHONDIR"]}
    environment |= {"JUPYTER_TOKEN": TOKEN, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    options = ["--no-browser", f"--ip={LOOPBACK}", f"--port={port}", "--ServerApp.port_retries=0", "--allow-root"]
    options += ["--expose-app-in-browser", f"--ServerApp.root_dir={notebook.parent}"]
    with (tmp_path / "lab.log").open("w") as log:
        command = [sys.executable, "-m", "jupyterlab", *options]
        server = subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for_server(server, f"http://{LOOPBACK}:{port}/api", tmp_path / "lab.log")
            yield f"http://{LOOPBACK}:{port}"
        finally:
            server.terminate()
            try:
                server.wait(timeout=30)
            except subprocess.TimeoutExpired:
                server.kill()


def wait_for_server(server, url, log):
    until = time.monotonic() + START_S
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab does not answer:\n{log.read_text()[-2000:]}")


@pytest.fixture
def page(lab, tmp_path):
    """The notebook's page; at the end, also of a failure, a picture of it stays in the test's folder."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=BROWSER_OPTIONS)
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.goto(f"{lab}/lab/tree/01_setup.ipynb?token={TOKEN}")
        yield page
        page.screenshot(path=tmp_path / "jupyterlab.png")
        browser.close()


def run_all_cells(page):
    """Click Run > Run All Cells, and wait until every code cell has its number or one has failed."""
    page.wait_for_function(READY, timeout=START_S * 1000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    page.wait_for_function(ENDED, timeout=RUN_S * 1000, polling=500)
    return page.evaluate(f"({CELLS})()")


def test_the_first_notebook_runs_and_its_widget_answers(page, tmp_path):
    cells = run_all_cells(page)
    errors = [output for cell in cells for output in cell["outputs"] if output["output_type"] == "error"]
    assert errors == []
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert (tmp_path / "artifacts" / "smoke" / "setup" / "manifest.json").exists()

    page.evaluate(SHOW, "calculator")
    calculator = page.locator(".course-calculator")
    calculator.locator("svg", has_text="qlora: ").wait_for(timeout=WIDGET_MS)
    calculator.get_by_role("button", name="lora_8bit").click()
    calculator.locator("svg", has_text="lora_8bit: ").wait_for(timeout=WIDGET_MS)
    cell = page.evaluate(ACTIVE)
    for key, focused in (("ArrowRight", "qlora"), ("ArrowUp", "lora_8bit"), ("ArrowDown", "qlora")):
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.textContent") == focused
    calculator.locator(".widget-hslider", has_text="model").locator(".noUi-handle").click()
    page.keyboard.press("ArrowRight")
    calculator.locator("svg", has_text="Qwen3-8B on a card").wait_for(timeout=WIDGET_MS)
    page.keyboard.press("ArrowDown")
    calculator.locator("svg", has_text="Llama-3.1-8B-Instruct on a card").wait_for(timeout=WIDGET_MS)
    assert page.evaluate(ACTIVE) == cell, "arrow keys stay in the widget"

    page.evaluate(SHOW, "rating-page")
    rating = page.locator(".course-rating")
    rating.get_by_role("button", name="1: the first").focus()
    for n_left, key in enumerate(("2", "0", "1")):
        rating.get_by_text(f"{3 - n_left} left").wait_for(timeout=WIDGET_MS)
        page.keyboard.press(key)
    rating.get_by_text("All pairs are rated").wait_for(timeout=WIDGET_MS)
    ratings = (tmp_path / "notebooks" / "ratings.jsonl").read_text().splitlines()
    assert [json.loads(each)["winner"] for each in ratings] == ["new", "tie", "old"]
    assert len(page.evaluate(f"({CELLS})()")) == len(cells), "digits make no headings of cells"
