"""Find leaks between splits: the same question, or the same query, about the same database."""

from collections.abc import Mapping, Sequence

from course_utils.files import Row
from course_utils.tasks import normalise
from tools.dataset.judge import canonical
from tools.dataset.written import UNANSWERABLE


def find_leaks(splits: Mapping[str, Sequence[Row]]) -> list[str]:
    """One line for each row whose question or query an earlier split has, and each id that is there twice.

    That the schema cannot answer is no query in this sense: all such questions share one.

    Raises:
        QueryError: A query does not parse as SQLite.
    """
    found = []
    first: dict[tuple[str, str, str], tuple[str, str]] = {}
    ids: dict[str, str] = {}
    for split, rows in splits.items():
        for row in rows:
            keys = [("question", row["db_id"], normalise(row["question"]))]
            if row["query"] != UNANSWERABLE:
                keys.append(("query", row["db_id"], canonical(row["query"])))
            for key in keys:
                other_split, other_id = first.setdefault(key, (split, row["id"]))
                if other_split != split:
                    found.append(f"{row['id']}: the {key[0]} is also in {other_split} ({other_id})")
            if ids.setdefault(row["id"], split) != split:
                found.append(f"{row['id']}: the id is also in {ids[row['id']]}")
    return found
