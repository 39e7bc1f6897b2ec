"""Checks that need one row alone, as one function that any engine can map over batches, and the finished row."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.data.encoding import encoding_findings
from course_utils.data.formats.record import Record
from course_utils.data.privacy.detect import database_values, mask, personal_data_findings, profanity_findings
from course_utils.data.validation.queries import count_largest, query_findings
from course_utils.errors import QueryError
from course_utils.files import Row
from course_utils.finding import Finding, Severity, quoted
from course_utils.prompts import count_tokens
from course_utils.sql import run_queries
from course_utils.sql.query_forms import clean_query, hardness

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEXT_CHECKS = ("encoding", "template", "personal-data", "profanity")
QUERY_CHECKS = ("syntax", "execution", "empty-result", "constant-result", "enormous-result")
REPEAT_CHECKS = ("exact-duplicate", "near-duplicate", "leak-exact", "leak-near", "leak-skeleton")
SPLIT_CHECKS = ("label-balance", "diversity")
CHECKS = ("schema", *TEXT_CHECKS, *QUERY_CHECKS, *REPEAT_CHECKS, "contradiction", "length", *SPLIT_CHECKS)
"""Every check's name, in the order of a report; the list is closed."""

REQUIRED = ("db_id", "question", "query")
TYPES: dict[str, tuple[type, ...]] = {"difficulty": (str,), "source": (str,), "answerable": (bool,), "empty": (bool,)}
TYPES |= {"id": (str, int)}
"""Optional fields and their types. Other fields are not checked, because published datasets add their own."""
# Only the prompt module adds the template: a marker that is already in a text would come twice.
MARKERS = re.compile(
    r"<[|｜][^|｜<>\s]{1,40}[|｜]>|</?s>|\[/?INST\]|<</?SYS>>|<(?:(?:start|end)_of_turn|bos|eos|pad|unk)>|</?think>"
    r"|(?:^|\n)[^\S\n]*#{2,}\s*(?:instruction|input|response|question|answer|sql)\s*(?::\s*)?(?:\n|$)"
    r"|#{3}\s*(?:instruction|input|response)\s*:"
    r"|(?:^|\n)[^\S\n]*(?:USER|ASSISTANT|SYSTEM|HUMAN|User|Assistant|Human|System)\s*:",
    re.IGNORECASE,
)
"""Markers of ChatML, Llama 2 and 3, Mistral, Gemma, Phi, DeepSeek, Alpaca and Vicuna."""
FENCE = re.compile(r"```|~~~")
MANNERS = re.compile(
    r"^\s*(?:sure|certainly|of course|okay|here(?:'s| is| are)|the (?:sql )?query (?:is|would be)|to answer|you can use"
    r"|sql\s*:|sqlquery\s*:|answer\s*:|i\b)",
    re.IGNORECASE,
)
_NAMES = {str: "text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True)
class RowChecker:
    """Checks each row by itself; a small object, because it is sent to every process."""

    databases: Mapping[str, Path | str]  # by db_id, the path of its SQLite file, or the reason why it cannot be used
    reads_texts: bool = True  # whether to run TEXT_CHECKS
    runs_queries: bool = True  # whether to run QUERY_CHECKS

    def __call__(self, records: Sequence[Record]) -> list[Finding]:
        """Findings about the fields and, for rows whose fields are right, about texts and queries."""
        about = [(record, field_findings(record, self.databases)) for record in records]
        readable = [record for record, found in about if not found]
        about += [(record, [*self._texts(record.fields)]) for record in readable if self.reads_texts]
        findings = [record.mark(finding) for record, found in about for finding in found]
        return [*findings, *self._queries(readable)] if self.runs_queries else findings

    def _texts(self, row: Row) -> Iterator[Finding]:
        database = Path(self.databases[row["db_id"]])
        allowed = database_values(database, database.stat().st_mtime_ns)
        for name in ("question", "query"):
            yield from encoding_findings(row[name], name)
            yield from marker_findings(row[name], name)
            yield from personal_data_findings(row[name], name, allowed)
            yield from profanity_findings(row[name], name)

    def _queries(self, records: Iterable[Record]) -> Iterator[Finding]:
        """Findings about the queries; one that several rows share runs once, because running queries takes longest."""
        by_database: dict[str, dict[str, list[Record]]] = defaultdict(dict)
        for record in records:
            row = record.fields
            by_database[row["db_id"]].setdefault(clean_query(row["query"]), []).append(record)
        for db_id, by_query in by_database.items():
            database = Path(self.databases[db_id])
            n_largest, results = count_largest(database), run_queries(database, by_query)
            for sharing, result in zip(by_query.values(), results, strict=True):
                for record in sharing:
                    for finding in query_findings(record.fields, result, n_largest):
                        yield record.mark(finding)


def field_findings(record: Record, databases: Mapping[str, Path | str]) -> list[Finding]:
    """The reason why a row could not be read, or what is wrong with its fields; ``databases`` as in ``RowChecker``."""
    if record.fault:
        what, _, remedy = record.fault.rpartition("; ")
        return [Finding(record.check, "error", what or remedy, remedy)]
    found = []
    for name in REQUIRED:
        value = record.fields.get(name)
        if not isinstance(value, str) or not value.strip():
            wrong = "missing" if value is None else "empty" if isinstance(value, str) else "not text"
            found.append(_error(f'"{name}" is {wrong}', f"every row needs {', '.join(REQUIRED)}"))
    for name, types in TYPES.items():
        value = record.fields.get(name)
        if value is not None and type(value) not in types:  # isinstance would accept true as a whole number
            wanted = " or ".join(_NAMES[kind] for kind in types)
            what = f'"{name}" is {value!r:.60}, which is not {wanted}'
            found.append(_error(what, f"write {wanted}, or leave the field out"))
    db_id = record.fields.get("db_id")
    if not isinstance(db_id, str) or not db_id.strip():
        return found
    if db_id not in databases:
        add = f"add databases/{db_id}/{db_id}.sqlite (or schema.sql), or correct db_id"
        found.append(_error(f'there is no database "{db_id}"', add))
    elif not found and isinstance(reason := databases[db_id], str):
        what, _, remedy = reason.partition("; ")
        found.append(_error(what, remedy or "repair the database"))
    return found


def _error(reason: str, fix: str) -> Finding:
    return Finding("schema", "error", reason, fix)


def marker_findings(text: str, name: str) -> Iterator[Finding]:
    """Template markers and code fences in one text, and prose before a query; ``name`` is the name of its field."""
    if found := MARKERS.search(text):
        reason = f'"{name}" has the template marker {quoted(found[0].strip())}'
        yield Finding("template", "error", reason, "remove the marker; the model's chat template adds its own")
    if FENCE.search(text):
        severity: Severity = "error" if name == "query" else "warning"
        yield Finding(
            "template", severity, f'"{name}" has a code fence: {quoted(mask(text))}', "remove the fence marks"
        )
    if name == "query" and MANNERS.search(text):
        yield Finding("template", "error", f'"query" begins with prose: {quoted(mask(text))}', "keep only the SQL")


def find_too_long(
    records: Sequence[Record], schemas: Mapping[str, str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Finding]:
    """Rows with more than ``max_length`` tokens, prompt and completion together, which training leaves out.

    They are not truncated, because that would remove the query and the token that teaches a model to stop.
    """
    firsts = {record.fields["db_id"]: record.fields for record in reversed(records)}
    bases = dict(zip(firsts, count_tokens(tokenizer, firsts.values(), schemas), strict=True))
    # Every token is at least one byte long. If the tokens of one row about a database, plus the bytes of this row, stay
    # within the limit, so do its tokens, and they are not counted: for 100,000 rows this saves a third of the time.
    texts = ((row, row.fields["question"] + row.fields["query"]) for row in records)
    sizes = ((row, bases[row.fields["db_id"]] + len(text.encode())) for row, text in texts)
    suspects = [row for row, size in sizes if size > max_length]
    lengths = count_tokens(tokenizer, [record.fields for record in suspects], schemas)
    name, found = Path(tokenizer.name_or_path).name, []
    for record, n in zip(suspects, lengths, strict=True):
        if n > max_length:
            reason = f"{n:,} tokens ({name}), {n - max_length:,} over the limit: training leaves the row out whole"
            fix = "shorten the row or its database's schema, remove the row, or raise the profile's max_length"
            found.append(record.mark(Finding("length", "warning", reason, fix)))
    return found


def find_duplicate_ids(records: Iterable[Record]) -> list[Finding]:
    """Rows with the same id as an earlier row of their split."""
    first: dict[tuple[str, str], Record] = {}
    found = []
    for record in records:
        earlier = first.setdefault((record.split, row_id(record)), record)
        if earlier is not record:
            what = f'"id" {row_id(record)} is also the id of {earlier.place}'
            found.append(record.mark(_error(what, "give one of the two rows another id")))
    return found


def row_id(record: Record) -> str:
    """The row's own id, or ``<split>-<number>`` if it has none."""
    own = record.fields.get("id")
    return f"{record.split}-{record.number}" if own in (None, "") else str(own)


def complete_row(record: Record) -> Row:
    """The course's fields of a row, cleaned and with defaults: ``row_id``, Spider's difficulty, the file as source."""
    fields = record.fields
    query = clean_query(fields["query"])
    try:
        difficulty = fields.get("difficulty") or hardness(query)
    except QueryError:  # sqlglot cannot parse every query that SQLite runs
        difficulty = "unknown"
    return {
        "id": row_id(record),
        "db_id": fields["db_id"],
        "question": clean_question(fields["question"]),
        "query": query,
        "difficulty": difficulty,
        "source": str(fields.get("source") or record.path.name),
        **{mark: fields[mark] for mark in ("answerable", "empty") if fields.get(mark) is not None},
    }


def clean_question(question: str) -> str:
    """A question with single spaces and none at its ends."""
    return " ".join(question.split())
