"""Find a model: in a folder, on the Hugging Face Hub, or in the Hub's cache where there is no network."""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from textwrap import shorten

from course_utils.artifacts import is_local, resolve
from course_utils.errors import CourseError, ModelError


@lru_cache
def hub_is_reachable(timeout_s: float = 3.0) -> bool:
    """Whether the Hugging Face Hub (or the mirror that ``HF_ENDPOINT`` names) answers; asked once per process.

    Libraries retry for half a minute before they say that there is no network, so the course asks first.

    Args:
        timeout_s: The answer is no after this many seconds, even where looking up the name hangs.
    """
    import urllib.error
    import urllib.request

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    answers: list[bool] = []

    def ask() -> None:
        try:
            request = urllib.request.Request(endpoint, method="HEAD")
            with urllib.request.urlopen(request, timeout=timeout_s):
                answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)
        except (OSError, ValueError):
            answers.append(False)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    return bool(answers) and answers[0]


def locate_model(model: str | Path) -> str:
    """The folder to load from, or the Hub id where the Hub must be asked.

    Raises:
        ModelError: There is no such folder, or the Hub does not answer and its cache lacks the model.
    """
    if is_local(str(model)):
        folder = resolve(model)
        if not folder.is_dir():
            raise ModelError(f"{folder}: there is no such model folder; check MODEL")
        return str(folder)
    offline = os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "ON", "YES", "TRUE"}
    if not offline and hub_is_reachable():
        return str(model)
    from huggingface_hub import snapshot_download

    with explain_loading(str(model), "model"):
        return str(snapshot_download(str(model), local_files_only=True))


def explain_loading(name: str, what: str) -> AbstractContextManager[None]:
    """``explain_failure`` for reading the ``what`` of a model folder or a Hub id."""
    if Path(name).is_dir():
        return explain_failure(name, f"the {what} cannot be read", "save it again")
    remedy = "check MODEL and the network, or choose PROFILE=smoke, which downloads nothing"
    return explain_failure(name, f"the {what} cannot be had from the Hub or its cache", remedy)


@contextmanager
def explain_failure(where: str, what: str, remedy: str) -> Iterator[None]:
    """Turn what libraries raise about a model's files, which may be any exception, into one ``ModelError``.

    What does not fit into memory says nothing about files and passes as it is.
    """
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
