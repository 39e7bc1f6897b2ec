"""How the course resolves paths, hashes files, and reads and writes them so that no file is left half written."""

import errno
import hashlib
import json
import os
import shutil
import tomllib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from course_utils.errors import DataError
from course_utils.finding import listed

PROJECT = Path(__file__).resolve().parent.parent
Row = dict[str, Any]
"""One row of a dataset or of a stage's results: the object on one line of a JSON-lines file."""
SPLITS = ("train", "validation", "test")
DIFFICULTIES = ("easy", "medium", "hard", "extra")
"""Spider's levels, easiest first."""
MODEL_SUFFIXES = (".json", ".jinja", ".model", ".safetensors", ".bin")
"""Suffixes of the files that a model and its tokenizer are read from."""


def resolve(path: str | Path, start: Path = PROJECT) -> Path:
    """Make a path absolute; a relative path starts at ``start``, whatever the current folder, and ``~`` is expanded."""
    # Path.expanduser would raise RuntimeError if ~ precedes the name of no user, as in ~models/mine.
    return (start / os.path.expanduser(path)).resolve()  # noqa: PTH111


def portable(location: str | Path) -> str:
    """The form of a path for manifests and messages: relative to the project if inside it; a Hub id is unchanged."""
    path = Path(location)
    return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else str(location)


def is_local(model: str) -> bool:
    """Whether a model's name means a local path, not a Hub id: the path exists, or it is written as a path."""
    return resolve(model).exists() or model.startswith((".", "/", "~", "data/", "artifacts/"))


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(value: object) -> str:
    """Hexadecimal SHA-256 of a value that JSON can hold; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def asked_in(row: Row) -> tuple[Any, ...]:
    """The key that identifies a row in predictions of any model: ``id``, ``db_id``, gold ``query``; None if missing."""
    return tuple(map(row.get, ("id", "db_id", "query")))


def fingerprint(model: Path) -> str:
    """A hash (16 hexadecimal digits) of a model folder's files, which changes with the model; empty if not a folder.

    Of a file larger than 64 MiB, it reads about 64 MiB in evenly spaced pieces, because reading the whole file would
    take as long as loading the model.
    """
    digest, piece = hashlib.sha256(), 2**20
    for path in sorted(path for path in model.glob("*") if path.suffix in MODEL_SUFFIXES):
        size = path.stat().st_size
        digest.update(f"{path.name} {size} ".encode())
        with path.open("rb") as file:
            for start in range(0, size, max(piece, size // 64)):
                file.seek(start)
                digest.update(file.read(piece))
    return digest.hexdigest()[:16] if model.is_dir() else ""


def read_jsonl(path: Path) -> list[Row]:
    """Read a JSON-lines file that the course wrote or has checked before, without checks."""
    return [json.loads(line) for line in path.read_text("utf-8-sig").split("\n") if line.strip()]


def append_line(file: IO[Any], line: bytes) -> None:
    """Append a line, complete or not at all, because half a line would corrupt the next one too.

    ``file`` is open in append mode. If it is also readable and lacks its final line break, as after a power cut, the
    line break is added first.

    Raises:
        OSError: The line does not fit, as on a full disk.
    """
    if file.readable() and (size := file.seek(0, os.SEEK_END)):
        file.seek(size - 1)
        line = line if file.read(1) == b"\n" else b"\n" + line
    n_written = os.write(file.fileno(), line)  # unbuffered, because Python's buffer would retry a failed write later
    if n_written < len(line):
        os.ftruncate(file.fileno(), os.lseek(file.fileno(), 0, os.SEEK_CUR) - n_written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_checked_jsonl(path: Path, check: Callable[[Row, str], Row], fields: Iterable[str]) -> list[Row]:
    """Read a JSON-lines file from any source, and return each row as ``check(row, "file:line")`` returns it.

    Any line ending, a byte-order mark and empty lines are accepted. ``fields`` are the fields that errors ask for.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or a row is not an object or makes ``check`` raise
            ValueError; the message lists the first 20 such rows.
    """
    remedy = f"give one JSON object a line, with {', '.join(fields)}"
    try:
        lines = path.read_text("utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}; {remedy}, in UTF-8") from error
    rows, wrong = [], []
    for number, line in enumerate(lines, 1):
        if line.strip():
            place = f"{portable(path)}:{number}"
            try:
                if not isinstance(row := json.loads(line), dict):
                    raise ValueError(f"a {type(row).__name__} instead of an object")
                rows.append(check(row, place))
            except (ValueError, RecursionError) as error:
                wrong.append(f"{place}: {error}; {remedy}")
    if wrong or not rows:
        title = f"{portable(path)}: {len(wrong):,} of {len(wrong) + len(rows):,} rows are wrong"
        raise DataError(listed(title, wrong) if wrong else f"{path}: the file is empty; {remedy}")
    return rows


def text_of(path: Path) -> str:
    """The stripped text of a system file; empty if it cannot be read."""
    with suppress(OSError):
        return path.read_text("utf-8", "replace").strip()
    return ""


def read_json(path: Path) -> Any:
    """Parse a JSON file; raises OSError or ValueError if it cannot be read."""
    return json.loads(path.read_text("utf-8"))


def read_toml(module: str) -> dict[str, Any]:
    """Parse the TOML file beside a module: ``catalogue.toml`` for the ``__file__`` of ``catalogue.py``."""
    return tomllib.loads(Path(module).with_suffix(".toml").read_text("utf-8"))


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Yield a temporary path for a file or folder, which replaces ``path`` at the end or is deleted on an error.

    Raises:
        OSError: The parent folder is not writable, or a file would replace a folder.
    """
    unfinished = path.with_name(f".{os.getpid()}.unfinished.{path.name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield unfinished
        if unfinished.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        unfinished.replace(path)
    finally:
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.unlink(missing_ok=True)


def link_file(source: str | Path, target: str | Path) -> None:
    """Hard-link a file that is never changed, because databases are large; copy it if linking fails."""
    try:
        os.link(Path(source).resolve(), target)  # resolved, because a symbolic link's target may be relative
    except OSError:
        shutil.copyfile(source, target)


def to_line(row: Row) -> bytes:
    """A row as a UTF-8 line of JSON; a lone surrogate, which UTF-8 cannot encode, becomes JSON's escape."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def write_jsonl(path: Path, rows: Iterable[Row]) -> Path:
    """Write one JSON object per line and return ``path``; creates the folder, and replaces the file as a whole."""
    with writing(path) as unfinished, unfinished.open("wb") as file:
        file.writelines(map(to_line, rows))
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write indented JSON and return ``path``; escapes and replaces as ``write_jsonl`` does."""
    with writing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")
    return path
