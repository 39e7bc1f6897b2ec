"""Files as the course reads and writes them: where paths start, what tells two apart, and nothing half written."""

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
"""One row of a dataset or of a stage's results: what one line of a JSON-lines file holds."""
SPLITS = ("train", "validation", "test")
DIFFICULTIES = ("easy", "medium", "hard", "extra")
"""Spider's levels, easiest first."""
MODEL_SUFFIXES = (".json", ".jinja", ".model", ".safetensors", ".bin")
"""Files that a model and its tokenizer are read from."""


def resolve(path: str | Path, start: Path = PROJECT) -> Path:
    """An absolute path; a relative one starts at the project, whatever the current folder."""
    # Path.expanduser would raise RuntimeError where ~ stands before the name of nobody here, as in ~models/mine.
    return (start / os.path.expanduser(path)).resolve()  # noqa: PTH111


def portable(location: str | Path) -> str:
    """A path as manifests record it and people see it: from the project where it lies in it; a Hub id stays."""
    path = Path(location)
    return path.relative_to(PROJECT).as_posix() if path.is_relative_to(PROJECT) else str(location)


def is_local(model: str) -> bool:
    """Whether a model is a folder rather than a Hub id: it exists, or is written as a path."""
    return resolve(model).exists() or model.startswith((".", "/", "~", "data/", "artifacts/"))


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_of(value: object) -> str:
    """Hexadecimal SHA-256 of what JSON can hold, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def asked_in(row: Row) -> tuple[Any, ...]:
    """What makes rows of two models' answers the same row: id, database and gold query, where there are such."""
    return tuple(map(row.get, ("id", "db_id", "query")))


def fingerprint(model: Path) -> str:
    """What tells a model folder from another one that takes its place; empty where there is none, as for a Hub id.

    Of a file beyond 64 MiB it hashes as much, in pieces from all over it, for to read all takes as long as to load it.
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
    """Rows of a JSON-lines file that the course itself wrote."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def append_line(file: IO[Any], line: bytes) -> None:
    """Add a line to a file that is open to append: all of it or nothing, for half a line would spoil the next as well.

    Where the file may be read too, what somebody's editor or a power cut left without an end of line gets one first.

    Raises:
        OSError: It does not fit, as on a full disk.
    """
    if file.readable() and (size := file.seek(0, os.SEEK_END)):
        file.seek(size - 1)
        line = line if file.read(1) == b"\n" else b"\n" + line
    n_written = os.write(file.fileno(), line)  # past Python's buffer, which would write what has failed later on
    if n_written < len(line):
        os.ftruncate(file.fileno(), os.lseek(file.fileno(), 0, os.SEEK_CUR) - n_written)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read_checked_jsonl(path: Path, check: Callable[[Row, str], Row], fields: Iterable[str]) -> list[Row]:
    """Rows of a JSON-lines file that anybody wrote, each as ``check`` gives it back, which gets its file and line too.

    Any end of line, a byte-order mark and empty lines are accepted. ``fields`` are those that errors name.

    Raises:
        DataError: The file is missing, empty or not UTF-8, or rows are no objects or such that ``check`` raises
            ValueError; the first 20 of them are listed.
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
    """What a file of the system says, without blank ends; empty where it cannot be read."""
    with suppress(OSError):
        return path.read_text("utf-8", "replace").strip()
    return ""


def read_json(path: Path) -> Any:
    """What a JSON file holds; OSError or ValueError if it cannot be read."""
    return json.loads(path.read_text("utf-8"))


def read_toml(module: str) -> dict[str, Any]:
    """The table beside a module, such as ``catalogue.toml`` of ``catalogue.py``, which gives its ``__file__``."""
    return tomllib.loads(Path(module).with_suffix(".toml").read_text("utf-8"))


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A path to write a file or a folder to, which takes the place of ``path`` at the end, or goes if something fails.

    Raises:
        OSError: The folder cannot be written to, or a folder is where a file is to be.
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
    """Hard-link a file that nobody will change, because databases are large; copy it where that cannot be."""
    try:
        os.link(Path(source).resolve(), target)  # not a link to a link, whose target may be relative
    except OSError:
        shutil.copyfile(source, target)


def to_line(row: Row) -> bytes:
    """A row of a JSON-lines file; half of a character, for which UTF-8 has no bytes, as JSON's own escape."""
    return (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="backslashreplace")


def write_jsonl(path: Path, rows: Iterable[Row]) -> Path:
    """Write one JSON object per line, making the folder if needed; the file is replaced whole or stays as it was."""
    with writing(path) as unfinished, unfinished.open("wb") as file:
        file.writelines(map(to_line, rows))
    return path


def write_json(path: Path, value: Any) -> Path:
    """Write indented JSON as ``write_jsonl`` does: half characters escaped, and the file replaced whole or not."""
    with writing(path) as unfinished:
        unfinished.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", "utf-8", "backslashreplace")
    return path
