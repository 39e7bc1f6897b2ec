"""The one safe way to read, build and query SQLite databases, and the one rule for what is the same answer."""

from course_utils.sql.compare import MAX_COMPARED_ROWS, find_difference, has_top_level_order, same_answer, same_rows
from course_utils.sql.databases import FOLDERS, databases_in, find_database, list_databases, ready_database
from course_utils.sql.run import QueryResult, run_queries, run_query
from course_utils.sql.schema import Schema, quote, read_schema

__all__ = [
    "FOLDERS",
    "MAX_COMPARED_ROWS",
    "QueryResult",
    "Schema",
    "databases_in",
    "find_database",
    "find_difference",
    "has_top_level_order",
    "list_databases",
    "quote",
    "read_schema",
    "ready_database",
    "run_queries",
    "run_query",
    "same_answer",
    "same_rows",
]
