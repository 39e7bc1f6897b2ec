import json
import re
import shutil
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file

from course_utils.deployment import convert_to_gguf, describe_gguf
from course_utils.deployment.convert import splits_like_smollm
from course_utils.errors import ModelError
from course_utils.models import load_tokenizer


def field(path: Path, name: str) -> Any:
    return gguf.GGUFReader(path).get_field(name).contents()


def test_holds_the_tokenizer_and_its_template(base: Path, gguf_f16: Path) -> None:
    tokenizer = load_tokenizer(base)
    assert field(gguf_f16, "tokenizer.chat_template") == tokenizer.chat_template
    assert field(gguf_f16, "tokenizer.ggml.tokens") == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert field(gguf_f16, "tokenizer.ggml.eos_token_id") == tokenizer.eos_token_id
    assert field(gguf_f16, "tokenizer.ggml.padding_token_id") == tokenizer.pad_token_id
    assert field(gguf_f16, "tokenizer.ggml.pre") == "smollm"


@pytest.mark.parametrize(("kind", "tolerance"), [("f32", 0.0), ("f16", 0.0), ("q8_0", 0.01)])
def test_weights_survive(base: Path, tmp_path: Path, kind: Any, tolerance: float) -> None:
    """The base is stored in float16, so F16 and F32 are exact; Q8_0 rounds to 1/127 of a block's largest."""
    path = convert_to_gguf(base, tmp_path / "model.gguf", kind)
    tensor = next(t for t in gguf.GGUFReader(path).tensors if t.name == "token_embd.weight")
    stored = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    wanted = load_file(base / "model.safetensors")["model.embed_tokens.weight"].astype(np.float32)
    np.testing.assert_allclose(stored, wanted, rtol=0, atol=tolerance * float(np.abs(wanted).max()))


def test_describes_itself(base: Path, gguf_f16: Path) -> None:
    description = describe_gguf(gguf_f16)
    tokenizer = load_tokenizer(base)
    assert (description["architecture"], description["tokenizer"]) == ("llama", "gpt2, smollm")
    assert (description["end token"], description["chat template"]) == (tokenizer.eos_token, tokenizer.chat_template)
    assert re.fullmatch(r"[\d,]+ numbers in \d+ tensors, F16", description["weights"])
    assert description["size"] == f"{gguf_f16.stat().st_size / 2**20:.1f} MiB"


def changed_tokenizer(base: Path, folder: Path, **changes: Any) -> Path:
    tokenizer = json.loads((base / "tokenizer.json").read_text("utf-8"))
    shutil.copytree(base, folder)
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer | changes), "utf-8")
    return folder


@pytest.mark.parametrize(
    "steps",
    [
        [{"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}],
        [
            {"type": "Digits", "individual_digits": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        ],
        [
            {"type": "Digits", "individual_digits": True},
            {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        ],
    ],
)
def test_claims_no_tokenizer_that_splits_otherwise(base: Path, tmp_path: Path, steps: list[Any]) -> None:
    folder = changed_tokenizer(base, tmp_path / "model", pre_tokenizer={"type": "Sequence", "pretokenizers": steps})
    assert splits_like_smollm(base / "tokenizer.json")
    assert not splits_like_smollm(folder / "tokenizer.json")
    with pytest.raises(ModelError, match=r"pre-tokenizer was not recognized.*vLLM"):
        convert_to_gguf(folder, tmp_path / "model.gguf")


def test_a_normalizer_is_not_smollm(base: Path, tmp_path: Path) -> None:
    folder = changed_tokenizer(base, tmp_path / "model", normalizer={"type": "Lowercase"})
    assert not splits_like_smollm(folder / "tokenizer.json")


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        convert_to_gguf(tmp_path, tmp_path / "model.gguf")


def test_a_file_that_is_not_gguf(tmp_path: Path) -> None:
    (tmp_path / "model.gguf").write_bytes(b"not a model at all, but long enough to be read")
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        describe_gguf(tmp_path / "model.gguf")
