"""Real servers over the tiny base model: its answers are nonsense, but valid replies."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from course_utils.artifacts import Course, open_course
from course_utils.deployment import start_gateway, start_model_server
from course_utils.processes import Server

SINGERS = ["Ana", "Ben", "Cleo"]


def build_databases(folder: Path) -> Path:
    database = folder / "music" / "music.sqlite"
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE singer (name text)")
        connection.executemany("INSERT INTO singer VALUES (?)", [(name,) for name in SINGERS])
    return folder


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_databases(tmp_path_factory.mktemp("databases"))


@pytest.fixture(scope="session")
def feedback_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("feedback") / "feedback.jsonl"


@pytest.fixture(scope="session")
def model_server(tiny_gguf: Path) -> Iterator[Server]:
    with start_model_server(tiny_gguf) as server:
        yield server


@pytest.fixture(scope="session")
def gateway(model_server: Server, databases: Path, feedback_file: Path) -> Iterator[Server]:
    settings = {"COURSE_FEEDBACK_FILE": str(feedback_file), "COURSE_MAX_TOKENS": "24"}
    with start_gateway(model_server.url, databases, settings=settings) as server:
        yield server


@pytest.fixture
def client(gateway: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=60, trust_env=False) as connection:
        yield connection


@pytest.fixture
def make_course(tiny_gguf: Path, tmp_path: Path) -> Callable[..., Course]:
    """A course whose stages up to deployment have run, or up to another."""

    def make(until: str = "deployment") -> Course:
        course = open_course("smoke", artifacts=str(tmp_path / "artifacts"))
        for name in ("setup", "data", "training", "evaluation", "deployment"):
            stage = course.begin(name)
            if name == "data":
                build_databases(stage.folder / "databases")
            if name == "deployment":
                (stage.folder / "model.gguf").write_bytes(tiny_gguf.read_bytes())
            stage.finish({})
            if name == until:
                break
        return course

    return make
