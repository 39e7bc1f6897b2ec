"""Why a prediction is wrong: the first clause in which it parts from the gold, and both side by side as a page."""

import re
from difflib import SequenceMatcher
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from course_utils.errors import QueryError
from course_utils.evaluation.clauses import CLAUSES, compare_clauses
from course_utils.evaluation.execution import FAILURES
from course_utils.evaluation.scores import Outcome
from course_utils.finding import printable
from course_utils.sql import find_database, run_queries
from course_utils.tables import text_table

KINDS = ("right", "timeout", "invalid", *CLAUSES, "extra")
N_ROWS = 5


def error_kind(outcome: Outcome) -> str:
    """One of ``KINDS``, so that their counts add up to all rows.

    ``invalid`` is no query at all. ``extra`` has all that the gold has, and more. Any other wrong query, whether it
    runs or not, goes by ``join`` if it has too few of them, by the first of the ``CLAUSES`` that lacks something, or by
    ``column`` if nothing differs but their order.
    """
    if outcome.verdict.correct:
        return "right"
    if outcome.verdict.failure == FAILURES["timeout"]:
        return "timeout"
    clauses = compare_clauses(str(outcome.row["query"]), str(outcome.row["predicted"]))
    if clauses is None:
        return "invalid"
    if not any(map(any, clauses.values())):
        return "column" if outcome.verdict.valid else "invalid"
    if "join" in clauses and len(clauses["join"].missing) > len(clauses["join"].added):
        return "join"
    return next((clause for clause, match in clauses.items() if match.missing), "extra")


def show_error(outcome: Outcome, dataset: Path) -> str:
    """A wrong answer as HTML: the question, what the prediction changes in the gold, and the first rows of both."""
    row, verdict = outcome.row, outcome.verdict
    queries = {"gold": str(row["query"]), "predicted": str(row["predicted"])}
    with TemporaryDirectory() as folder:
        database = find_database(dataset, row["db_id"], Path(folder))
        answers = list(run_queries(database, queries.values(), max_rows=N_ROWS))
    shown = [printable(str(answer if isinstance(answer, QueryError) else answer.rows)) for answer in answers]
    caption = f"{verdict.failure}, {verdict.detail}; at most {N_ROWS} rows are shown"
    table = text_table(("query", "returns"), list(zip(queries, shown, strict=True)), caption)
    question = escape(f"{row['db_id']}: {row.get('question', '')}")
    return f"<p>{question}</p><p><code>{mark_changes(*queries.values())}</code></p>{table._repr_html_()}"


def mark_changes(gold: str, predicted: str) -> str:
    """One text as HTML, word by word: what only the gold has struck out, what only the prediction has underlined."""
    before, after = (re.findall(r"'[^']*'|\w+|\s+|.", text) for text in (gold, predicted))
    marked = []
    for change, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        old, new = escape("".join(before[a:b])), escape("".join(after[c:d]))
        marked.append(old if change == "equal" else f"<del>{old}</del><ins>{new}</ins>")
    return "".join(marked)
