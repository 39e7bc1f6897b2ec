"""The one safe way to read, build and query SQLite databases, and the one rule for when two answers are the same."""

from course_utils.sql.compare import QueryPair, compare_answers, find_difference, same_answer
from course_utils.sql.databases import databases_in, find_database, folder_name, list_databases, ready_database
from course_utils.sql.execute import QueryLimits, QueryResult, run_queries, run_query
from course_utils.sql.opening import copy_database, is_one_file
from course_utils.sql.query_forms import shape_of
from course_utils.sql.row_equality import same_rows
from course_utils.sql.schema import Schema, quote, read_schema

__all__ = ["QueryLimits", "QueryPair", "QueryResult", "Schema", "compare_answers", "copy_database"]
__all__ += ["databases_in", "find_database", "find_difference", "folder_name", "is_one_file", "list_databases", "quote"]
__all__ += ["read_schema", "ready_database", "run_queries", "run_query", "same_answer", "same_rows", "shape_of"]
