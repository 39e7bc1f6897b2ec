"""What the rows of ``feedback.jsonl`` say, which the gateway writes and the monitoring stage reads."""

from course_utils.artifacts import Row

MIN_USERS = 2
"""Users who give the same answer before it is believed."""


def topic(database: str, row: Row) -> tuple[str, str]:
    """The database and the question of a row, whatever the question's letter case and spaces."""
    return database, " ".join(row["question"].casefold().split())


def held_right(row: Row) -> str | None:
    """The query that a row says is right, if any: its correction, or with a thumb up the answer's own."""
    query: str | None = row.get("correction") or (row.get("query") if row.get("rating") == "up" else None)
    return query


def supporters(row: Row) -> set[object]:
    """Who stands behind that query: its caller, or where that is a reviewer, as many as are needed."""
    return set(range(MIN_USERS)) if "reviews" in row else {row.get("caller", "")}
