"""Put the outputs of a clean run into the committed notebooks. ``hygiene`` checks the result."""

import base64
import copy
import hashlib
import json
import re
from html import escape, unescape
from io import BytesIO
from pathlib import Path
from typing import Annotated

import nbformat
import numpy as np
import typer
from nbformat import NotebookNode
from PIL import Image

from course_utils.artifacts import STAGES, notebook_of, open_course
from course_utils.errors import ArtifactError, CourseError
from course_utils.files import PROJECT
from course_utils.kernel import is_executable, read_notebook
from course_utils.runner import load_seconds
from tools.notebooks.minutes import FILE, minutes_table, record_minutes, replace_table

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
WIDGET_MIME = "application/vnd.jupyter.widget-view+json"
BARE_OBJECT = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")
MAX_COLOURS = 19
"""Of a figure that is committed: a plot needs no more, and its file is a third as large. With fewer, lines lose their
colours; and with 16, of which two share a byte, the file would even be larger."""
GREYS = (0, 102, 204, 231, 255)
"""To these the soft edges of black letters are rounded; bars are 204, the grid is 231."""
_STYLED_TABLE = re.compile(r"\bT_[0-9a-f]{5}(?=[_\" ])")
_NO_STYLE = re.compile(r"<style[^>]*>\s*(?:\.dataframe [^<]*)?</style>\s*")
_STYLE_HOOK = re.compile(
    r' (?:id="T_[^"]*"|class="(?:blank|data|index_name|col_heading|row_heading)\b[^"]*")(?: (?=>))?'
)
_QUOTED = re.compile(r' (style|scope)="([\w:-]+)"')
_PROGRESS = re.compile(
    r"\s*<div>\s*(<progress value='\d+' max='\d+') style='[^']*'(></progress>)\s*(.*?)\s*</div>", re.S
)
_LINE_BREAK = re.compile(r"\n\s*(?=</?(?:table|caption|thead|tbody|t[rdh])\b)")


def code_sha256(notebook: NotebookNode) -> str:
    """Hash of the sources of the code cells, in order: what the outputs depend on."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def write_outputs(executed: Path, notebook: Path, table: str) -> int:
    """Put the outputs of a copy that smoke executed into the notebook, and the measured times into its first cell.

    The rest of its text and its code stay as they are. Left out: error streams, widgets, and whatever papermill added.
    Execution counts become 1..n.

    Returns:
        How many outputs were left out because they were error streams.

    Raises:
        ArtifactError: The notebook's code is not the code that was executed.
    """
    target, source = read_notebook(notebook), read_notebook(executed)
    ran = {cell.id: cell for cell in source.cells if cell.cell_type == "code"}
    n_left_out = count = 0
    for cell in target.cells:
        cell.metadata = {name: cell.metadata[name] for name in ("tags", "alt") if cell.metadata.get(name)}
        if not is_executable(cell):
            continue
        if cell.id not in ran or ran[cell.id].source != cell.source or ran[cell.id].execution_count is None:
            raise ArtifactError(f"{notebook}: cell {cell.id!r} is not what was executed; run `make notebooks` again")
        count += 1
        cell.execution_count = count
        cell.outputs = clean_outputs(ran[cell.id].outputs, count, cell.id)
        for output in cell.outputs:
            if "image/png" in output.get("data", {}) and "alt" in cell.metadata:
                output.metadata = {"image/png": {"alt": cell.metadata["alt"]}}  # nbconvert makes it the alt text
        n_left_out += sum(output.get("name") == "stderr" for output in ran[cell.id].outputs)
    target.cells[0].source = replace_table(target.cells[0].source, table)
    target.metadata = nbformat.from_dict(  # type: ignore[no-untyped-call]
        {
            "kernelspec": KERNELSPEC,
            "language_info": {"name": "python"},
            "course": {"code_sha256": code_sha256(target), "profile": "smoke"},
        }
    )
    notebook.write_text(nbformat.writes(target, version=4).rstrip("\n") + "\n", "utf-8")  # type: ignore[no-untyped-call]
    return n_left_out


def clean_outputs(outputs: list[NotebookNode], count: int, cell_id: str) -> list[NotebookNode]:
    """The outputs that stay the same from run to run, as far as the format decides that.

    Pieces of one printed stream are joined; a widget goes, for without its kernel it shows nothing, but for
    the picture that it brings;
    pandas' styled tables get the cell's name instead of a random one; what is shown as HTML loses its text
    form, which is the same again or an address in memory; figures get a palette, so that they stay small;
    drawings become images, which a page shows that trusts nobody.
    """
    kept: list[NotebookNode] = []
    for output in copy.deepcopy(outputs):
        data = output.get("data", {})
        if output.get("name") == "stderr" or (WIDGET_MIME in data and "text/html" not in data):
            continue
        data.pop(WIDGET_MIME, None)
        drawing = data.pop("image/svg+xml", "") or data.get("text/html", "")
        if drawing.startswith("<svg"):
            data["text/html"] = as_image(drawing)
        if "text/html" in data:
            data["text/html"] = _plain_table(_STYLED_TABLE.sub(f"T_{cell_id}", data["text/html"]))
            data.pop("text/plain", None)
        if "image/png" in data:
            data["image/png"] = with_palette(data["image/png"])
        if output.output_type == "execute_result":
            output.execution_count = count
        if output.output_type == "stream" and kept and kept[-1].output_type == "stream":
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _plain_table(html: str) -> str:
    """A table in one line, for each costs ten bytes, without quotes and what pandas gives cells and no style refers to.

    HTML needs quotes around some values only, and JSON doubles each. A trainer's progress bar gets its usual size.
    """
    html = _PROGRESS.sub(r"\1\2 \3", html)
    plain, n_empty = _NO_STYLE.subn("", html)
    return _QUOTED.sub(r" \1=\2", _LINE_BREAK.sub("", _STYLE_HOOK.sub("", plain) if n_empty else html))


def as_image(svg: str) -> str:
    """An SVG as ``<img>``: until a notebook is run, JupyterLab shows of another SVG the bare words, or nothing."""
    title = re.search("<title>(.*?)</title>", svg)
    alt = escape(unescape(title[1])) if title else ""
    return f'<img width="700" alt="{alt}" src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}">'


def with_palette(png: str) -> str:
    """A PNG image in Base64, reduced to ``MAX_COLOURS``, those of thin lines among them."""
    pixels = np.array(Image.open(BytesIO(base64.b64decode(png))).convert("RGB"))  # (height, width, 3), uint8
    grey = np.ptp(pixels, axis=2) < 10
    nearest = np.abs(pixels[grey].mean(axis=1)[:, None] - GREYS).argmin(axis=1)
    pixels[grey] = np.take(GREYS, nearest)[:, None]
    reduced = BytesIO()
    few = Image.fromarray(pixels).quantize(MAX_COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(reduced, "PNG", optimize=True)
    return base64.b64encode(reduced.getvalue()).decode()


def write_run(artifacts: str, notebooks: Path, minutes: Path = FILE) -> list[str]:
    """Put the outputs of the last run into the notebooks, and its times into their first cells.

    Args:
        artifacts: Where the run left its executed copies, as ``course run --artifacts`` takes it.
        notebooks: The folder of the committed notebooks.
        minutes: The file of measured times.

    Returns:
        A line for each notebook, for people.

    Raises:
        ArtifactError: There is no finished run with the default profile, data and model, or a notebook's code has
            changed since.
    """
    course = open_course("smoke", artifacts=artifacts)
    if len(load_seconds(course)) < len(STAGES):
        raise ArtifactError(f"{course.root}: no finished run of the default PROFILE, DATA and MODEL; run the course")
    lines, measured = [], record_minutes(course, minutes)
    for stage in STAGES:
        name = Path(notebook_of(stage)).name
        table = minutes_table(stage, measured)
        n_left_out = write_outputs(course.root / "notebooks" / name, notebooks / name, table)
        lines.append(f"Outputs written into {name}" + (f", but {n_left_out} on stderr" if n_left_out else ""))
    return lines


def main(
    artifacts: Annotated[str, typer.Argument(help="Folder of the run's results.")] = "artifacts",
    notebooks: Annotated[Path, typer.Argument(help="Folder of the notebooks to write to.")] = PROJECT / "notebooks",
) -> None:
    """Put the outputs of the last run into the notebooks: ``python -m tools.notebooks.outputs``."""
    try:
        typer.echo("\n".join(write_run(artifacts, notebooks)))
    except CourseError as error:
        typer.echo(error, err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    typer.run(main)
