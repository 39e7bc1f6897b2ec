"""The audit log: who tried what, when, and whether it was allowed, in lines that each carry the hash of the last.

A line that is changed or removed breaks the chain. Whoever may write the file could forge it from some line on, so keep
the last hash somewhere else from time to time. Each gateway needs a file of its own.
"""

import hashlib
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course_utils.errors import ConfigurationError, DataError

_KEPT = ("caller", "method", "route", "about", "status", "request_id")  # none can hold a key


class AuditLog(logging.FileHandler):
    """Keeps, of all requests that are logged, what admins do and what is refused to anybody."""

    def __init__(self, file: Path) -> None:
        try:
            super().__init__(file, encoding="utf-8")
            self._last = verify_audit(file)[1]
        except (OSError, DataError) as error:
            raise ConfigurationError(f"COURSE_AUDIT_FILE: {error}; find out why, and move the file away") from error

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a request belongs here."""
        notes: dict[str, Any] = getattr(record, "notes", {})
        return notes.get("status") in (401, 403) or notes.get("route", "").startswith("/v1/admin/")

    def format(self, record: logging.LogRecord) -> str:
        """The next line of the chain."""
        notes: dict[str, Any] = record.notes  # type: ignore[attr-defined]  # which ``filter`` has seen
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": time} | {name: notes.get(name, "") for name in _KEPT}
        entry |= {"allowed": notes["status"] < 400, "previous": self._last}
        self._last = _hash(entry)
        return json.dumps(entry | {"hash": self._last})


def verify_audit(file: Path) -> tuple[int, str]:
    """The number of lines of an audit log, and the last one's hash.

    Raises:
        DataError: A line was changed or removed; names the first that does not fit.
    """
    number, last = 0, "0" * 64
    for number, line in enumerate(file.read_text("utf-8", errors="replace").splitlines(), 1):
        try:
            entry = dict(json.loads(line))
            found = entry.pop("hash")
            if entry["previous"] != last or _hash(entry) != found:
                raise ValueError
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{file}:{number}: this line was changed, or lines before it were removed") from error
        last = found
    return number, last


def _hash(entry: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
