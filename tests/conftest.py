"""What every test runs under: no Hub, no display, and one thread for each of several workers."""

import os
import sqlite3
from pathlib import Path

import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as cores: two threads each would wait for each other at every barrier.
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of four items, two of them equal but for their key."""
    path = tmp_path_factory.mktemp("shop") / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE item (id integer, name text, price real);"
        "INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 2.5), (3, 'pad', 0.3), (4, 'pen', 1.5);"
    )
    connection.close()
    return path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that no worker is left alone with one at the end."""
    items.sort(key=_minutes, reverse=True)


def _minutes(item: pytest.Item) -> float:
    """How long a test may take, by its marks."""
    timeout = item.get_closest_marker("timeout")
    if timeout:
        return float(timeout.args[0]) / 60
    return 1.0 if item.get_closest_marker("slow") else 0.0
