"""Write a file whole or not at all, and nowhere but where it was asked for."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from course_utils.data.formats.record import misfit


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A path to write to; it takes the place of ``path`` at the end, and goes if something fails.

    Raises:
        FormatError: The folder cannot be written to, or ``path`` is a folder.
    """
    if path.is_dir():
        raise misfit(path, "a folder is in the way; choose another name")
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        unfinished.replace(path)
    except OSError as error:
        raise misfit(path, f"cannot be written ({error.strerror or error}); choose another folder") from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
