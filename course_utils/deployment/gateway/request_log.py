"""Logs as lines of JSON; that of a request says what became of it, and unless switched on, nothing that was asked."""

import logging
import re
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pydantic_core import to_json

from course_utils.errors import ConfigurationError

_MAX_BYTES, _N_FILES = 10_000_000, 5
_PERSONAL = re.compile(r"[\w.+-]{1,64}@[\w.-]+|\+?\d(?:[ ()./-]{0,2}\d){6,}")


def mask_personal(text: str) -> str:
    """A text without e-mail addresses and numbers of seven digits or more: phones, cards, accounts. Names remain."""
    return _PERSONAL.sub("***", text)


class JsonFormatter(logging.Formatter):
    """Writes a record, its exception and the ``notes`` that it carries."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"time": time, "level": record.levelname, "message": super().format(record)}
        return to_json(line | getattr(record, "notes", {})).decode()


class _LogFile(RotatingFileHandler):
    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - as its parent spells it
        """Whether the file is full, and not, as its parent asks, whether it would be: that writes each line twice."""
        return self.stream is not None and self.stream.tell() >= self.maxBytes


def log_to(file: Path | None) -> None:
    """Log to a file that starts anew before it grows large, with warnings on stderr as well; to stderr without one.

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
    logging._srcfile = None  # what logging's documentation calls an optimisation: which line logs is not written
