"""What every test runs under: no Hub, no display, and one thread for each of several workers."""

import gc
import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import settings

from course_utils.files import PROJECT
from tests.sqlite_files import write_database

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
if "PYTEST_XDIST_WORKER" in os.environ:
    # As many workers as cores: two threads each would wait for each other at every barrier.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same code gets the same verdict each time; ``--hypothesis-profile=default`` searches among new examples.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of four items, two of them equal but for their key."""
    return write_database(
        tmp_path_factory.mktemp("shop") / "shop.sqlite",
        "CREATE TABLE item (id integer, name text, price real);"
        "INSERT INTO item VALUES (1, 'pen', 1.5), (2, 'ink', 2.5), (3, 'pad', 0.3), (4, 'pen', 1.5);",
    )


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base model as llama.cpp reads it, in float16."""
    from course_utils.deployment import convert_to_gguf

    return convert_to_gguf(PROJECT / "data" / "tiny_base", tmp_path_factory.mktemp("gguf") / "model.gguf", "f16")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the slow ones out unless asked; begin with the longest files, so that no worker is left alone with one."""
    if os.environ.get("COURSE_TEST_SLOW") != "1":
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(pytest.mark.skip(reason="COURSE_TEST_SLOW=1 asks for it"))
    seconds: Counter[Path] = Counter()
    for item in items:
        seconds[item.path] = max(seconds[item.path], _seconds(item))
    items.sort(key=lambda item: seconds[item.path], reverse=True)


def pytest_collection_finish() -> None:
    """Spare the collector of garbage the modules of all tests, which stay: some libraries call it often."""
    gc.freeze()


def _seconds(item: pytest.Item) -> int:
    """About how long the file of a test takes, by its marks; what is skipped takes none."""
    if item.get_closest_marker("skip") or any(mark.args[0] for mark in item.iter_markers("skipif")):
        return 0
    if takes := item.get_closest_marker("takes"):
        return int(takes.args[0])
    return 20 if item.get_closest_marker("slow") else 0
