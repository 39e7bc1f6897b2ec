"""Logs as lines of JSON: a log of requests, and an audit log of who tried what and whether it was allowed.

A request's line says how it ended, and holds its question only if ``log_questions`` is set. An audit line carries the
hash of the line before, also across files, so a changed or removed line breaks the chain. Whoever may write the file
could forge all lines from some line on: keep the last hash somewhere else from time to time. Each gateway needs files
of its own.
"""

import hashlib
import json
import logging
import re
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from course_utils.errors import ConfigurationError, DataError
from course_utils.files import append_line

logger = logging.getLogger(__name__)
_MAX_BYTES, _N_FILES, _N_AUDIT_FILES = 10_000_000, 5, 20
MAX_REFUSED = 20  # a minute: at 360 bytes a line, refusals alone fill all files in three weeks
_FIRST = "0" * 64
_KEPT = ("caller", "method", "route", "about", "status", "request_id")  # in the audit log; none can hold a key
_PERSONAL = re.compile(r"[\w.+-]{1,64}@[\w.-]+|\+?\d(?:[ ()./-]{0,2}\d){6,}")


def mask_personal(text: str) -> str:
    """Replace e-mail addresses and numbers of seven or more digits (phones, cards) by ``***``; names remain."""
    return _PERSONAL.sub("***", text)


class JsonFormatter(logging.Formatter):
    """Formats a record, its exception and its ``notes`` as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "message": super().format(record)}
        return to_json(line | getattr(record, "notes", {})).decode()


class _LogFile(RotatingFileHandler):
    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - as its parent spells it
        """Whether the file is full. The parent formats each line twice to find out whether it would be."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes


def log_to(file: Path | None) -> None:
    """Log to a rotated file, and warnings to stderr as well; without a file, log everything to stderr.

    Raises:
        ConfigurationError: The file cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if file:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            handlers.append(_LogFile(file, maxBytes=_MAX_BYTES, backupCount=_N_FILES, encoding="utf-8"))
        except OSError as error:
            raise ConfigurationError(f"COURSE_LOG_FILE: {file} cannot be used ({error}); choose another") from error
        handlers[0].setLevel(logging.WARNING)
    for handler in handlers:
        handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=handlers)
    logging.raiseExceptions = False  # a full disk costs lines, not requests
    # An optimisation from logging's documentation: records need no source line, thread and process.
    logging._srcfile, logging.logThreads, logging.logProcesses, logging.logMultiprocessing = None, False, False, False


class AuditLog(_LogFile):
    """Writes the audit log: requests to ``/v1/admin``, and up to ``MAX_REFUSED`` refusals (401, 403) a minute.

    Raises:
        ConfigurationError: The file cannot be written. A broken file is renamed instead, and an error logged.
    """

    def __init__(self, file: Path) -> None:
        self._minute, self._n_refused = 0, 0
        try:
            self._last = _find_end(file)
            super().__init__(file, maxBytes=_MAX_BYTES, backupCount=_N_AUDIT_FILES, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"COURSE_AUDIT_FILE: {file} cannot be used ({error}); choose another") from error

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a request belongs in the audit log."""
        notes: dict[str, Any] = getattr(record, "notes", {})
        if notes.get("status") not in (401, 403):
            return bool(notes.get("route", "").startswith("/v1/admin/"))
        minute = int(record.created // 60)  # anybody can be refused for ever and would fill the disk
        self._minute, self._n_refused = minute, self._n_refused + 1 if minute == self._minute else 1
        return self._n_refused <= MAX_REFUSED

    def emit(self, record: logging.LogRecord) -> None:
        """Write the next line of the chain, with the hash of the last line that was written."""
        notes: dict[str, Any] = record.notes  # type: ignore[attr-defined]  # which ``filter`` has seen
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": time} | {name: notes.get(name, "") for name in _KEPT}
        entry |= {"allowed": notes["status"] < 400, "previous": self._last}
        last = _hash(entry)
        try:
            if self.shouldRollover(record):
                self.doRollover()
            self.stream = self.stream or self._open()
            append_line(self.stream, (json.dumps(entry | {"hash": last}) + "\n").encode())
            self._last = last
        except OSError:
            self.handleError(record)


def verify_audit(file: Path, n_files: int = _N_AUDIT_FILES + 1) -> tuple[int, str]:
    """Verify an audit log; return its number of lines and the hash of the last one.

    It consists of the file and of those that were full before it; the newest ``n_files`` are read.

    Raises:
        DataError: A line was changed, torn or removed; the message names the first line that does not fit.
    """
    files = _audit_files(file)
    is_cut = len(files) > n_files or files[0].suffix == f".{_N_AUDIT_FILES}"  # the lines before the oldest are gone
    n_lines, last = 0, "" if is_cut else _FIRST
    for each in files[-n_files:]:
        with each.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                n_lines, last = n_lines + 1, _read_line(line, last, f"{each}:{number}")
    return n_lines, last


def _read_line(line: bytes, last: str, place: str) -> str:
    """The hash of a line; DataError unless it is whole and follows the line with the hash ``last`` ("": unknown)."""
    try:
        entry = dict(json.loads(line))
        found = str(entry.pop("hash"))
        follows = entry["previous"] == (last or entry["previous"])
        if not follows or _hash(entry) != found or not line.endswith(b"\n"):
            raise ValueError
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataError(f"{place}: this line was changed or torn, or lines before it were removed") from error
    return found


def _find_end(file: Path) -> str:
    """The hash for the next line to carry. A broken log is renamed: a power cut must not keep the gateway down."""
    file.touch()
    try:
        return verify_audit(file, 2)[1]  # two files, because the newest may be empty
    except DataError as error:
        aside = f"broken-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-"
        for each in _audit_files(file):
            each.rename(each.with_name(aside + each.name))
        text = "COURSE_AUDIT_FILE: %s; find out why: the log is kept as %s, and a new chain begins"
        logger.error(text, error, file.with_name(aside + file.name))
        return _FIRST


def _audit_files(file: Path) -> list[Path]:
    """The files of an audit log, the oldest first."""
    full = [file.parent / f"{file.name}.{number}" for number in range(_N_AUDIT_FILES, 0, -1)]
    return [*filter(Path.exists, full), file]


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
