"""Whatever a file holds, reading it takes little time and changes nothing."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def bounded(folder: Path) -> Iterator[None]:
    """What runs inside takes less than 5 s and leaves ``folder`` and the working folder as they were."""
    before, began = _snapshot(folder), time.perf_counter()
    yield
    assert time.perf_counter() - began < 5
    assert _snapshot(folder) == before


def _snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and mode of each file, also of one that is a link to nothing."""
    paths = [path for path in [*folder.rglob("*"), *Path.cwd().iterdir()] if not path.is_dir()]
    return {path: (path.lstat().st_size, path.lstat().st_mode) for path in paths}
