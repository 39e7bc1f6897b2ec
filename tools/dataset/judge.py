"""Accept a question if it is new and its answer tells right queries from wrong ones.

Without any one of its conditions, orders, limits or halves of a set operation, the query must give another answer, and
no tie may make two answers right. Ties show in a **mirror**, a copy of the database with the rows in reverse order: a
query whose answer depends on the order of stored rows has more than one right answer.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sqlglot import exp

from course_utils.errors import QueryError
from course_utils.sql import QueryResult, find_difference, quote, run_query, same_rows
from course_utils.sql.query_forms import parse
from tools.dataset.questions import Question

MAX_WORDINGS = 2
"""Rows of the training split that may share a query, worded differently; elsewhere one."""
MAX_WORDING_SIMILARITY = 0.7
MAX_RESULT_ROWS = 300
EMPTY_SHARE = 0.02
"""At most this share of a split's questions about one database may have an answer without rows."""


def mirror(database: Path, target: Path) -> Path:
    """Copy a database with the rows of every table in reverse order, and without keys that would sort them.

    Raises:
        sqlite3.Error: The database cannot be read.
    """
    target.unlink(missing_ok=True)
    source, copy = sqlite3.connect(database), sqlite3.connect(target)
    try:
        names = source.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in names:
            columns = source.execute("SELECT name, type FROM pragma_table_info(?)", (name,)).fetchall()
            copy.execute(f"CREATE TABLE {quote(name)} ({', '.join(f'{quote(c)} {type_}' for c, type_ in columns)})")
            rows = source.execute(f"SELECT * FROM {quote(name)} ORDER BY rowid DESC").fetchall()
            copy.executemany(f"INSERT INTO {quote(name)} VALUES ({', '.join('?' * len(columns))})", rows)
        copy.commit()
    finally:
        source.close()
        copy.close()
    return target


def canonical(query: str) -> str:
    """The query without differences of spacing, case and brackets, to compare it with others.

    Raises:
        QueryError: The query does not parse as SQLite.
    """
    return parse(query).sql("sqlite", normalize=True).lower()


@dataclass
class Judge:
    """Remembers what one database has been asked."""

    database: Path
    mirrored: Path
    reserved: dict[str, str] = field(default_factory=dict)
    """The split of queries that people wrote, in canonical form; other splits must not ask them."""
    split: str = ""
    n_rows: int = 0
    """Questions that the split shall have."""
    n_empty: int = 0
    home: dict[str, str] = field(default_factory=dict)
    """The split that a query belongs to."""
    wordings: dict[str, list[frozenset[str]]] = field(default_factory=dict)
    """The words of each question about a query."""
    questions: set[str] = field(default_factory=set)
    answers: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)
    """Queries without one telling answer."""

    def start(self, split: str, n_rows: int) -> None:
        """Go on to the next split."""
        self.split, self.n_rows, self.n_empty, self.answers = split, n_rows, 0, set()

    def accepts(self, question: Question) -> bool:
        """Whether to keep a question; if so, it is remembered."""
        query, text = question.query, question.question.lower().strip("?. ")
        if self.home.get(query, self.split) != self.split or text in self.questions or query in self.refused:
            return False
        words, earlier = frozenset(text.split()) - {"please"}, self.wordings.get(query, [])
        if len(earlier) >= (MAX_WORDINGS if self.split == "train" else 1) or any(_alike(words, old) for old in earlier):
            return False
        result = run_query(self.database, query)
        if not earlier and not self._is_good(query, result):
            self.refused.add(query)
            return False
        answer = repr(result.rows)
        if not self._may_answer(query, result, answer):
            return False
        self.n_empty += not result.rows
        self.answers.add(answer)
        self.home[query] = self.split
        self.wordings[query] = [*earlier, words]
        self.questions.add(text)
        return True

    def _may_answer(self, query: str, result: QueryResult, answer: str) -> bool:
        """Few empty answers, and outside of training no answer twice."""
        if not result.rows:
            is_left = self.n_empty + 1 <= EMPTY_SHARE * self.n_rows
            return is_left and query not in self.wordings and " OVER (" not in query
        return self.split == "train" or answer not in self.answers

    def _is_good(self, query: str, result: QueryResult) -> bool:
        if len(result.rows) > MAX_RESULT_ROWS:
            return False
        if result.rows and all(cell in (None, 0) for row in result.rows for cell in row):
            return False
        if find_difference(result, run_query(self.mirrored, query), query):
            return False
        if self.reserved.get(canonical(query), self.split) != self.split:
            return False
        return not result.rows or is_telling(self.database, query, result)


def _alike(words: frozenset[str], others: frozenset[str]) -> bool:
    """Whether two wordings differ in so few words that the second teaches nothing (Jaccard similarity)."""
    return len(words & others) > MAX_WORDING_SIMILARITY * len(words | others)


def is_telling(database: Path, query: str, result: QueryResult) -> bool:
    """Whether every part of the query matters to its answer, and no tie under ORDER BY makes two answers right."""
    tree = parse(query)
    for weaker in without_parts(tree):
        try:
            if same_rows(run_query(database, weaker.sql("sqlite")).rows, result.rows):
                return False
        except QueryError:
            continue
    return _has_one_order(database, tree)


def without_parts(tree: exp.Expr) -> Iterator[exp.Expr]:
    """The query without one of its conditions, limits, halves of a set operation, or kept rows of an outer join."""
    for number, node in enumerate(tree.walk()):
        if isinstance(node, exp.Select):
            for part in ("where", "having", "limit"):
                if node.args.get(part):
                    changed = _at(tree, number)
                    changed.set(part, None)
                    yield changed.root()
        elif isinstance(node, exp.And | exp.Or | exp.SetOperation):
            for side in (node.this, node.expression):
                changed = _at(tree, number)
                root = changed.root()
                changed.replace(side.copy())  # has no effect on the root, which is handled in the next line
                yield side.copy() if changed is root else root
        elif isinstance(node, exp.Join) and node.side:
            changed = _at(tree, number)
            changed.set("side", None)
            yield changed.root()


def _at(tree: exp.Expr, number: int) -> exp.Expr:
    """The node with this number in a copy of the tree."""
    copied: exp.Expr = next(node for i, node in enumerate(tree.copy().walk()) if i == number)
    return copied


def _has_one_order(database: Path, tree: exp.Expr) -> bool:
    """Whether the outermost order decides between all rows, matters, and needs each of its keys."""
    order = tree.args.get("order")
    if not order or not isinstance(tree, exp.Select):
        return True
    rows = _order_keys(database, tree)
    if len(set(rows)) < len(rows) or any(row[0] is None for row in rows):
        return False
    is_sorted_anyway = tree.args.get("group") or tree.find(exp.Window)  # SQLite sorts rows to group them
    if len(rows) > 1 and tree.args.get("limit") is None and not is_sorted_anyway:
        unordered = tree.copy()
        unordered.set("order", None)
        if run_query(database, unordered.sql("sqlite")).rows == run_query(database, tree.sql("sqlite")).rows:
            return False
    if len(order.expressions) == 1 or tree.find(exp.Window):
        return True
    return len({row[0] for row in rows}) < len(rows)


def _order_keys(database: Path, tree: exp.Select) -> list[tuple[object, ...]]:
    """What the rows are sorted by, and of the first row that a limit cuts off."""
    keys = tree.copy()
    keys.set("expressions", [ordered.this.copy() for ordered in tree.args["order"].expressions])
    if limit := tree.args.get("limit"):
        keys.set("limit", exp.Limit(expression=exp.Literal.number(int(limit.expression.name) + 1)))
    return run_query(database, keys.sql("sqlite")).rows
