"""Finding a model with a Hub that answers, refuses, hangs or is not there: small servers on this machine."""

import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from huggingface_hub import constants
from huggingface_hub.errors import GatedRepoError
from huggingface_hub.utils import filter_repo_objects

from course_utils.errors import ModelError
from course_utils.files import PROJECT
from course_utils.models import find_encoder, hub_is_reachable, load_model, load_tokenizer, locate_model
from course_utils.models.hub import identify_model, is_there_offline, locate_folder
from tests.http_servers import JsonHandler, serve

REQUEST = httpx.Request("GET", "https://huggingface.co")
MODEL = "small-model-course/no-such-model"


@pytest.fixture(autouse=True)
def ask_anew() -> Iterator[None]:
    hub_is_reachable.cache_clear()
    yield
    hub_is_reachable.cache_clear()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("status", [200, 404, 503])
def test_a_hub_that_answers_anything_is_reachable(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hub(JsonHandler):
        def do_HEAD(self) -> None:
            self.answer(b"", status)

    with serve(Hub) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        assert hub_is_reachable(10)


def test_a_hub_that_refuses_is_not_reachable(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    assert not hub_is_reachable(10)


def test_a_hub_that_hangs_is_given_up_in_time(silent_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{silent_port}")
    began = time.perf_counter()
    assert not hub_is_reachable(0.3)
    assert time.perf_counter() - began < 5


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("setting", [("HF_ENDPOINT", "not an address"), ("ALL_PROXY", "socks://127.0.0.1:9")])
def test_what_is_no_address_is_not_reachable(setting: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*setting)
    assert not hub_is_reachable(1)


@pytest.mark.parametrize("offline", ["1", ""])
def test_a_model_that_is_not_cached_is_refused_without_waiting(
    offline: str, closed_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    load_tokenizer("data/tiny_base")  # imports, which take as long on a busy machine
    began = time.perf_counter()
    with pytest.raises(ModelError, match=r"cannot be loaded from the Hub or its cache .*PROFILE=smoke"):
        load_tokenizer(MODEL)
    assert time.perf_counter() - began < 20, "the libraries by themselves try for half a minute"


REVISION = "0" * 40


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The folder of a model that lies in the Hub's cache."""
    repository = tmp_path / "models--small-model-course--no-such-model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(REVISION)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return shutil.copytree(PROJECT / "data" / "tiny_base", repository / "snapshots" / REVISION)


def test_a_cached_model_is_found_without_a_network(cached: Path) -> None:
    assert Path(locate_model(MODEL)) == cached
    assert is_there_offline(MODEL)
    assert not is_there_offline(f"{MODEL}-either")
    assert load_tokenizer(MODEL).eos_token == load_tokenizer("data/tiny_base").eos_token


def test_a_folder_here_does_not_pass_for_a_model_of_the_hub(
    cached: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / MODEL).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)  # so that its cache stands in for the Hub
    monkeypatch.setattr("course_utils.models.hub._is_offline", lambda: False)
    assert locate_folder(MODEL) == cached
    assert identify_model(MODEL) == f"{MODEL} {REVISION}"
    assert load_tokenizer(MODEL).eos_token == load_tokenizer("data/tiny_base").eos_token
    assert load_model(MODEL).config.hidden_size == load_model("data/tiny_base").config.hidden_size
    (tmp_path / f"{MODEL}-either").mkdir()
    for ask in (load_tokenizer, load_model, locate_folder, identify_model):
        with pytest.raises(ModelError, match=f"{MODEL}-either: the model cannot be loaded from the Hub"):
            ask(f"{MODEL}-either")


def test_a_model_of_the_hub_is_the_same_with_a_network_and_without(
    cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else predictions that were begun with one could not go on without."""
    without = identify_model(MODEL)
    monkeypatch.setattr("course_utils.models.hub.hub_is_reachable", lambda: True)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_: SimpleNamespace(sha=REVISION))
    assert identify_model(MODEL) == without


def test_a_folder_is_found_from_anywhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert Path(locate_model("data/tiny_base")) == PROJECT / "data" / "tiny_base"


def test_a_model_is_known_by_what_its_files_and_its_adapters_hold(tmp_path: Path) -> None:
    model, adapter = tmp_path / "model", tmp_path / "adapter"
    for folder in (model, adapter):
        folder.mkdir()
        (folder / "config.json").write_text("{}")
    known = {identify_model(model), identify_model(model, adapter)}
    (model / "config.json").write_text("{ }")
    known |= {identify_model(model), identify_model(model, adapter)}
    assert len(known) == 4
    assert identify_model(shutil.copytree(model, tmp_path / "copy")) in known
    with pytest.raises(ModelError):
        identify_model(tmp_path / "nowhere")


@pytest.mark.parametrize("model", [MODEL, "HuggingFaceTB/SmolLM2-135M-Instruct"])
def test_what_a_model_is_read_from_is_downloaded_and_no_copy(
    model: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    read = ["config.json", "model.safetensors", "tokenizer.model", "vocab.json", "merges.txt", "chat_template.jinja"]

    def download(_: str, *, local_files_only: bool = False, **patterns: str) -> str:
        if local_files_only:
            raise OSError("not in the cache")
        for file in filter_repo_objects([*read, "original/consolidated.00.pth", "onnx/model.onnx"], **patterns):
            (tmp_path / file).parent.mkdir(exist_ok=True)
            (tmp_path / file).touch()
        return str(tmp_path)

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("course_utils.models.hub.hub_is_reachable", lambda: True)
    monkeypatch.setattr("course_utils.models.hub.UNPACKED", tmp_path / "none")
    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert sorted(path.name for path in locate_folder(model).iterdir()) == sorted(read)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError("404 Client Error: Repository Not Found"), r".* \(404 .*Not Found\); check MODEL"),
        (GatedRepoError("403", response=httpx.Response(403, request=REQUEST)), ".*; accept its terms at .*auth login"),
    ],
)
def test_a_model_that_the_hub_does_not_give_is_named(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr("course_utils.models.hub.hub_is_reachable", lambda: True)
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    with pytest.raises(ModelError, match=f"{MODEL}: {message}"):
        identify_model(MODEL)


def test_the_encoder_is_a_folder_that_sentence_transformers_reads() -> None:
    assert (Path(find_encoder()) / "modules.json").is_file()
