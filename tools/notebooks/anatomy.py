"""Checks of the structure that the six notebooks share: their opening, their sections, and their end."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from nbformat import NotebookNode

from course_utils.artifacts import STAGES, notebook_of
from tools.notebooks.minutes import minutes_table, read_minutes

CLOSING_SECTIONS = ("Exercises", "Check", "What you learned")
N_GOALS = (3, 7)
"""How many bullets the goals may have."""
STEPS = {
    "**Predict first.**": "let readers commit themselves before a result that surprises",
    "**Diagnose it.**": "let readers find the fault in Break it before the text names it",
    "**Fix it.**": "show that the fault is gone",
}


def check_title(notebook: NotebookNode, name: str, repository: str) -> Iterator[str]:
    """The first cell's heading, badge, goals and times, and the last cell's link."""
    titles = [cell for cell in notebook.cells for line in headings(cell) if line.startswith("# ")]
    if len(titles) != 1 or titles[0] is not notebook.cells[0]:
        yield f"must have exactly one H1, in its first cell; found {len(titles)}"
    goals = re.search(r"you will be able to\n\n((?:- .+\n(?:  .+\n)*)+)", f"{notebook.cells[0].source}\n")
    if not goals or not N_GOALS[0] <= len(re.findall("^- ", goals[1], re.MULTILINE)) <= N_GOALS[1]:
        yield f"the first cell must say 'you will be able to' and list {N_GOALS[0]} to {N_GOALS[1]} goals"
    if "**You need**" not in notebook.cells[0].source:
        yield "the first cell must say what **You need**"
    stage = Path(name).stem.partition("_")[2]
    if stage in STAGES and (table := minutes_table(stage, read_minutes())) not in notebook.cells[0].source:
        yield f"the first cell must hold the measured times; run `make notebooks`, or write\n{table}"
    badge = (
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"(https://colab.research.google.com/github/{repository.removeprefix('https://github.com/')}"
        f"/blob/main/notebooks/{name})"
    )
    if badge not in notebook.cells[0].source:
        yield f"the first cell must hold the line {badge}"
    names = [Path(notebook_of(stage)).name for stage in STAGES]
    following = names[names.index(name) + 1 :][:1] if name in names else []
    if following and f"({following[0]})" not in notebook.cells[-1].source:
        yield f"the last cell must link to the next notebook, ({following[0]})"


def check_sections(notebook: NotebookNode) -> Iterator[str]:
    """Numbered sections in order, with one to break and one to hand over, then the closing ones."""
    sections = [line[3:].strip() for cell in notebook.cells for line in headings(cell) if line.startswith("## ")]
    numbered = [match for section in sections if (match := re.match(r"(\d+)\. (.+)", section))]
    if [int(match[1]) for match in numbered] != list(range(1, len(numbered) + 1)) or not numbered:
        yield f"the ## sections must be numbered 1, 2, 3 ...; found {', '.join(match[1] for match in numbered)}"
    if sum("break it" in match[2].lower() for match in numbered) != 1:
        yield "must have exactly one numbered section called Break it"
    if numbered and numbered[-1][2] != "Hand over":
        yield f"the last numbered section must be called Hand over, not {numbered[-1][2]}"
    for section in sections:
        if not re.match(r"\d+\. ", section) and section not in CLOSING_SECTIONS:
            yield f"the section {section!r} has no number"
    for section in ("Check", "What you learned"):
        if sections.count(section) != 1:
            yield f"must have exactly one section ## {section}"


def check_steps(notebook: NotebookNode) -> Iterator[str]:
    """Prompts that make a reader think, and a check that ends in a verdict."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    for step, why in STEPS.items():
        if step not in text:
            yield f"has no {step} ({why})"
    for cell in notebook.cells:
        if "check" in cell.metadata.get("tags", []) and not isinstance(ast.parse(cell.source).body[-1], ast.Expr):
            yield f"cell {cell.id!r}: must end on a verdict in a sentence, such as Markdown('Setup is complete: ...')"


def headings(cell: NotebookNode) -> list[str]:
    """The headings of a markdown cell; a ``#`` inside a code block is none."""
    if cell.cell_type != "markdown":
        return []
    text = re.sub(r"^(```|~~~).*?^\1", "", cell.source, flags=re.MULTILINE | re.DOTALL)
    return [line for line in text.splitlines() if re.match(r"#{1,6} ", line)]
