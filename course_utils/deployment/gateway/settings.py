"""What the gateway can be told, each from a ``COURSE_*`` environment variable of its field's name."""

import os
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from course_utils.errors import ConfigurationError

PREFIX = "COURSE_"


class Secret(str):
    """Text that ``repr``, and so a log or a traceback, does not show."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'" if self else "''"


NO_SECRET = Secret()


@dataclass(frozen=True)
class Settings:
    """Settings of one gateway process."""

    model_url: str
    """Any OpenAI-compatible server: llama.cpp, Ollama, vLLM."""
    databases: Path
    """Folder with ``<db_id>/<db_id>.sqlite``."""
    api_key: Secret = NO_SECRET
    """What callers of ``/v1`` must send as a bearer token; empty lets everyone in."""
    model_name: str = "course"
    """What the model server calls the model."""
    host: str = "127.0.0.1"
    port: int = 8000
    model_timeout_s: float = 60.0
    """Seconds that the model server may stay silent."""
    query_timeout_s: float = 5.0
    max_rows: int = 100
    """Rows of a result at most."""
    max_tokens: int = 256
    """Tokens of a reply at most."""
    max_body_bytes: int = 262_144
    feedback_file: Path | None = None
    """JSON-lines file to add ratings to; None switches feedback off."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read every setting.

        Args:
            environment: Variables; those of this process if None.

        Raises:
            ConfigurationError: Variables are missing or have a value that does not fit; lists all of them.
        """
        given = os.environ if environment is None else environment
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field in fields(cls):
            name = PREFIX + field.name.upper()
            text = given.get(name, "").strip()
            if not text:
                if field.default is MISSING:
                    wrong.append(f"{name} is not set")
                continue
            try:
                values[field.name] = _READERS.get(field.name, str)(text)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        if wrong:
            raise ConfigurationError(
                f"environment: {'; '.join(wrong)}; see course_utils/deployment/gateway/settings.py"
            )
        return cls(**values)


def _url(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError(f"{text!r} does not begin with http:// or https://")
    return text.rstrip("/").removesuffix("/v1")


def _positive_integer(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{text!r} is not a positive whole number")
    return int(text)


def _positive_number(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise ValueError(f"{text!r} is not a positive number")
    return value


def _folder(text: str) -> Path:
    folder = Path(text).expanduser()
    if not folder.is_dir():
        raise ValueError(f"{text!r} is not a folder")
    return folder


_READERS: dict[str, Any] = {
    "model_url": _url,
    "databases": _folder,
    "api_key": Secret,
    "port": _positive_integer,
    "model_timeout_s": _positive_number,
    "query_timeout_s": _positive_number,
    "max_rows": _positive_integer,
    "max_tokens": _positive_integer,
    "max_body_bytes": _positive_integer,
    "feedback_file": lambda text: Path(text).expanduser(),
}
