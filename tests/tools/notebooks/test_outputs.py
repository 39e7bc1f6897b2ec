"""What of a run's outputs reaches the committed notebooks, and in which form."""

import base64
import copy
import json
import re
from io import BytesIO

import nbformat
import pytest
from nbformat import v4
from PIL import Image, ImageChops, ImageStat

from course_utils.errors import ArtifactError
from course_utils.kernel import read_notebook
from tools.notebooks.minutes import HEADER
from tools.notebooks.outputs import WIDGET_MIME, clean_outputs, code_sha256, with_palette, write_outputs


def square() -> str:
    file = BytesIO()
    Image.new("RGB", (4, 4), "white").save(file, "PNG")
    return with_palette(base64.b64encode(file.getvalue()).decode())


TABLE = f"{HEADER}| `smoke` | 1.0 | 1.0 GiB |"
FIGURE = {"image/png": square(), "text/plain": "<Axes: >"}


@pytest.fixture
def source(tmp_path):
    cells = [
        v4.new_markdown_cell(f"# Title\n\n{HEADER}| `smoke` | 9.9 | 9.9 GiB |", id="title"),
        v4.new_code_cell('PROFILE = "smoke"', id="parameters", metadata={"tags": ["parameters"]}),
        v4.new_code_cell("print(1)", id="talk", metadata={"collapsed": True}),
        v4.new_code_cell("figure", id="figure"),
    ]
    path = tmp_path / "source.ipynb"
    nbformat.write(v4.new_notebook(cells=cells, metadata={"kernelspec": {"name": "venv", "display_name": ""}}), path)
    return path


@pytest.fixture
def executed(source, tmp_path):
    notebook = copy.deepcopy(read_notebook(source))
    injected = v4.new_code_cell('PROFILE = "smoke"', metadata={"tags": ["injected-parameters"]})
    notebook.cells.insert(2, injected)
    for count, cell in enumerate(notebook.cells[1:], start=1):
        cell.execution_count = count
        cell.metadata.papermill = {"duration": 0.5, "start_time": "2026-11-22T10:00:00"}
    notebook.cells[3].outputs = [
        v4.new_output("stream", name="stdout", text="one\n"),
        v4.new_output("stream", name="stderr", text="a warning\n"),
        v4.new_output("stream", name="stdout", text="two\n"),
        v4.new_output("display_data", {WIDGET_MIME: {"model_id": "1"}, "text/plain": "FloatProgress()"}),
    ]
    notebook.cells[4].outputs = [v4.new_output("execute_result", FIGURE, execution_count=4)]
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {}}
    notebook.metadata.papermill = {"input_path": "/home/someone/source.ipynb"}
    path = tmp_path / "executed.ipynb"
    nbformat.write(notebook, path)
    return path


def test_only_lasting_outputs_are_written(source, executed):
    assert write_outputs(executed, source, TABLE) == 1
    written = read_notebook(source)
    assert [cell.id for cell in written.cells] == ["title", "parameters", "talk", "figure"]
    assert written.cells[0].source == f"# Title\n\n{TABLE}"
    assert [cell.execution_count for cell in written.cells[1:]] == [1, 2, 3]
    assert [dict(output) for output in written.cells[2].outputs] == [
        {"output_type": "stream", "name": "stdout", "text": "one\ntwo\n"}
    ]
    assert written.cells[3].outputs[0].execution_count == 3
    assert written.cells[3].outputs[0].data == FIGURE


def test_tables_without_a_style_lose_its_hooks():
    import pandas as pd

    html = pd.DataFrame({"a": [1.5]}, index=["x"]).style.format("{:.1f}").to_html()
    (kept,) = clean_outputs([v4.new_output("display_data", {"text/html": html})], 1, "show")
    head, body = "<thead><tr><th>&nbsp;</th><th>a</th></tr></thead>", "<tbody><tr><th>x</th><td>1.5</td></tr></tbody>"
    assert "".join(kept.data["text/html"].split()) == f"<table>{head}{body}</table>"


def test_a_progress_bar_takes_one_line():
    table = "<table><tr><td>0</td></tr></table><p>"
    bar = "\n <div>\n \n <progress value='5' max='9' style='width:300px; height:20px;'></progress>\n [5/9]\n </div>"
    (kept,) = clean_outputs([v4.new_output("display_data", {"text/html": bar + table})], 1, "train")
    assert kept.data["text/html"] == f"<progress value='5' max='9'></progress> [5/9]{table}"


def test_styled_tables_do_not_change_from_run_to_run():
    def styled(name):
        html = f'<style>#T_{name}_row0_col1 {{}}</style><table id="T_{name}"><td>T_12</td></table>'
        text = "<pandas.io.formats.style.Styler at 0x7fdf55e24850>"
        return v4.new_output("execute_result", {"text/html": html, "text/plain": text}, execution_count=1)

    once, again = (clean_outputs([styled(name)], 1, "show-sizes") for name in ("0a1b2", "ffe01"))
    assert once == again
    assert once[0].data == {
        "text/html": '<style>#T_show-sizes_row0_col1 {}</style><table id="T_show-sizes"><td>T_12</td></table>'
    }


@pytest.mark.parametrize("mime", ["image/svg+xml", "text/html"])
def test_drawings_are_images_which_need_no_trust(mime):
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><title>5 &gt; "4"</title><text>five</text></svg>'
    output = v4.new_output("execute_result", {mime: svg, "text/plain": "<SVG object>"}, execution_count=1)
    (kept,) = clean_outputs([output], 1, "draw")
    assert kept.data.keys() == {"text/html"}
    image = '<img width="700" alt="(.*)" src="data:image/svg[+]xml;base64,(.*)">'
    alt, source = re.fullmatch(image, kept.data["text/html"]).groups()
    assert (alt, base64.b64decode(source).decode()) == ("5 &gt; &quot;4&quot;", svg)


def test_metadata_is_what_the_course_wants_and_nothing_else(source, executed):
    write_outputs(executed, source, TABLE)
    written = read_notebook(source)
    assert set(written.metadata) == {"kernelspec", "language_info", "course"}
    assert written.metadata.course == {"profile": "smoke", "code_sha256": code_sha256(written)}
    assert [cell.metadata for cell in written.cells] == [{}, {"tags": ["parameters"]}, {}, {}]


def test_writing_twice_changes_nothing(source, executed):
    write_outputs(executed, source, TABLE)
    first = source.read_bytes()
    write_outputs(executed, source, TABLE)
    assert source.read_bytes() == first
    assert first.endswith(b"}\n")
    assert list(json.loads(first)) == ["cells", "metadata", "nbformat", "nbformat_minor"]


def test_outputs_of_other_code_are_refused(source, executed):
    notebook = read_notebook(source)
    notebook.cells[2].source = "print(2)"
    nbformat.write(notebook, source)
    with pytest.raises(ArtifactError, match="'talk' is not what was executed"):
        write_outputs(executed, source, TABLE)


def test_outputs_of_an_unfinished_run_are_refused(source, executed):
    notebook = read_notebook(executed)
    notebook.cells[4].execution_count = None
    nbformat.write(notebook, executed)
    with pytest.raises(ArtifactError, match="'figure' is not what was executed"):
        write_outputs(executed, source, TABLE)


def test_the_hash_depends_on_code_and_its_order_only(source):
    notebook = read_notebook(source)
    before = code_sha256(notebook)
    notebook.cells[0].source = "# Another title"
    assert code_sha256(notebook) == before
    notebook.cells[2:] = notebook.cells[:1:-1]
    assert code_sha256(notebook) != before


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"nbformat": 4, "cells": []}'])
def test_a_file_that_is_no_notebook_is_named(tmp_path, content):
    (tmp_path / "broken.ipynb").write_text(content)
    for name in ("broken.ipynb", "missing.ipynb"):
        with pytest.raises(ArtifactError, match=f"{name}: not a readable notebook"):
            read_notebook(tmp_path / name)


def test_figures_get_a_palette_and_stay_the_same_picture() -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    axes.plot([1, 3, 2])
    file = BytesIO()
    figure.savefig(file, format="png")
    pyplot.close(figure)
    before = base64.b64encode(file.getvalue()).decode()
    after = with_palette(before)
    old, new = (Image.open(BytesIO(base64.b64decode(png))).convert("RGB") for png in (before, after))
    assert len(after) < len(before) / 2
    assert old.size == new.size
    assert ImageStat.Stat(ImageChops.difference(old, new)).mean == pytest.approx([0, 0, 0], abs=1)
    assert with_palette(before) == after


def test_thin_lines_keep_their_colours() -> None:
    from matplotlib import pyplot

    colours = ("#0072B2", "#E69F00", "#009E73", "#D55E00")
    figure, axes = pyplot.subplots()
    for number, colour in enumerate(colours):
        axes.plot([number, number + 1], color=colour, linewidth=1, label=colour)
    axes.legend()
    file = BytesIO()
    figure.savefig(file, format="png")
    pyplot.close(figure)
    reduced = with_palette(base64.b64encode(file.getvalue()).decode())
    shown = Image.open(BytesIO(base64.b64decode(reduced))).convert("RGB").getcolors()
    for colour in colours:
        wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
        assert min(max(map(abs, map(int.__sub__, wanted, found))) for _, found in shown) < 16, colour
