"""Make preference pairs: a right query, and one that fails for a known reason.

Only training rows are used, so that nothing of the test leaks. Execution proves each pair: the chosen query runs; the
rejected one fails with the database's error that its reason says, or runs and answers something else.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from course_utils.errors import DataError, QueryError
from course_utils.files import Row
from course_utils.sql import Schema, read_schema, run_query, same_answer
from course_utils.sql.query_forms import parse
from tools.dataset.mistakes import write_sql
from tools.dataset.mutations import MUTATIONS, Mutation


def make_preferences(train: Sequence[Row], databases: Mapping[str, Path], n: int, seed: int = 0) -> list[Row]:
    """``n`` pairs, as many of each reason as of the others; each row gives one pair at most.

    Args:
        train: Training rows.
        databases: The database of each ``db_id``.
        n: How many pairs.
        seed: Chooses the rows and what is broken in them.

    Raises:
        DataError: The rows do not allow so many pairs.
    """
    rng = Random(f"{seed}/preferences")
    schemas = {db_id: read_schema(path) for db_id, path in databases.items()}
    rows = [row for row in rng.sample(list(train), len(train)) if _is_usable(row)]
    made: list[Row] = []
    used: set[str] = set()
    for number, mutation in enumerate(_rarest_first(rows)):
        wanted = (n - len(made)) // (len(MUTATIONS) - number)
        for row in rows:
            if wanted and row["id"] not in used:
                database = databases[row["db_id"]]
                if rejected := reject(row["query"], mutation, database, schemas[row["db_id"]], rng):
                    made.append(_pair(row, rejected, mutation))
                    used.add(row["id"])
                    wanted -= 1
    if len(made) < n:
        raise DataError(f"{len(train)} training rows allow {len(made)} preference pairs and not {n}; make more rows")
    rng.shuffle(made)
    return [{"id": f"preference-{number:04d}", **pair} for number, pair in enumerate(made, 1)]


def _is_usable(row: Row) -> bool:
    """Whether the row has an answer, and writing its tree gives its query back, so that only the mistake differs."""
    return not row.get("empty") and row.get("answerable", True) and write_sql(parse(row["query"])) == row["query"]


def _rarest_first(rows: Sequence[Row]) -> list[Mutation]:
    """The mutations, those first that few rows allow, so that these rows are not used up by others."""
    words = {
        "wrong-set-operation": ("UNION", "INTERSECT", "EXCEPT"),
        "missing-distinct": ("DISTINCT",),
        "missing-negation": (" NOT ",),
        "wrong-limit": ("LIMIT",),
        "wrong-connective": (" AND ", " OR "),
        "missing-join": ("JOIN",),
        "wrong-join-key": ("JOIN",),
        "missing-order": ("ORDER BY",),
        "wrong-direction": ("ORDER BY",),
        "missing-group": ("GROUP BY",),
        "wrong-aggregate": ("AVG(", "SUM(", "MAX(", "MIN("),
    }
    counts = Counter[str]()
    for row in rows:
        counts.update(reason for reason, found in words.items() if any(word in row["query"] for word in found))
    return sorted(MUTATIONS, key=lambda mutation: counts.get(mutation.reason, len(rows)))


def reject(query: str, mutation: Mutation, database: Path, schema: Schema, rng: Random) -> str | None:
    """The query broken by the mutation, if that makes it wrong exactly as the mutation says; else None."""
    broken = mutation.change(parse(query), schema, rng)
    if broken is None or broken == query:
        return None
    return broken if fails_as_said(query, broken, mutation, database) else None


def fails_as_said(query: str, broken: str, mutation: Mutation, database: Path) -> bool:
    """Whether the broken query gives the mutation's error, or runs and answers something else where it has none."""
    try:
        run_query(database, broken)
    except QueryError as error:
        return bool(mutation.error) and mutation.error in str(error)
    return not mutation.error and not same_answer(database, query, broken)


def _pair(row: Row, rejected: str, mutation: Mutation) -> Row:
    fields = {name: row[name] for name in ("db_id", "question")}
    return {**fields, "chosen": row["query"], "rejected": rejected, "reason": mutation.reason}
