import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from course_utils.deployment import convert_adapter, convert_to_gguf, merge_adapter
from course_utils.deployment.convert import splits_like_smollm
from course_utils.errors import ModelError
from course_utils.models import load_model, load_tokenizer

LAYER = "model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter with a non-zero update; an untrained one's is zero."""
    torch.manual_seed(0)
    config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    folder = tmp_path_factory.mktemp("adapter")
    get_peft_model(load_model(base), config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def merged(base: Path, adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merge_adapter(base, adapter, tmp_path_factory.mktemp("merged"))


def test_adds_the_scaled_product(base: Path, adapter: Path, merged: Path) -> None:
    update = load_file(adapter / "adapter_model.safetensors")
    a, b = (update[f"base_model.model.{LAYER}.lora_{part}.weight"] for part in "AB")
    wanted = load_file(base / "model.safetensors")[f"{LAYER}.weight"].float() + 8 / 4 * (b @ a)
    after = load_file(merged / "model.safetensors")[f"{LAYER}.weight"]
    assert after.dtype in (torch.float32, torch.float16, torch.bfloat16)
    torch.testing.assert_close(after.float(), wanted, rtol=1e-5, atol=1e-5)
    assert json.loads((merged / "config.json").read_text("utf-8")).get("quantization_config") is None


def test_answers_like_the_adapter(base: Path, adapter: Path, merged: Path) -> None:
    ids = torch.arange(5, 40)[None]
    with torch.inference_mode():
        with_adapter = load_model(base, adapter=adapter)(input_ids=ids).logits
        alone = load_model(base)(input_ids=ids).logits
        after = load_model(merged)(input_ids=ids).logits
    torch.testing.assert_close(after, with_adapter, rtol=1e-3, atol=1e-3)
    assert (after - alone).abs().max() > 0.1


def test_tokenizer_goes_along(base: Path, merged: Path) -> None:
    before, after = load_tokenizer(base), load_tokenizer(merged)
    assert after.chat_template == before.chat_template
    assert after("SELECT 12 FROM singer")["input_ids"] == before("SELECT 12 FROM singer")["input_ids"]


def test_a_folder_without_an_adapter(base: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="03_training"):
        merge_adapter(base, tmp_path, tmp_path / "merged")


def field(path: Path, name: str) -> Any:
    return gguf.GGUFReader(path).get_field(name).contents()


def test_holds_the_tokenizer_and_its_template(base: Path, tiny_gguf: Path) -> None:
    tokenizer = load_tokenizer(base)
    assert field(tiny_gguf, "tokenizer.chat_template") == tokenizer.chat_template
    assert field(tiny_gguf, "tokenizer.ggml.tokens") == tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    assert field(tiny_gguf, "tokenizer.ggml.eos_token_id") == tokenizer.eos_token_id
    assert field(tiny_gguf, "tokenizer.ggml.padding_token_id") == tokenizer.pad_token_id
    assert (field(tiny_gguf, "general.architecture"), field(tiny_gguf, "tokenizer.ggml.pre")) == ("llama", "smollm")
    assert field(tiny_gguf, "general.file_type") == gguf.LlamaFileType.MOSTLY_F16


@pytest.mark.parametrize(("kind", "tolerance"), [("f16", 0.0), ("q8_0", 0.01), ("q4_k_m", 0.04), ("q2_k", 0.4)])
def test_weights_survive(base: Path, tmp_path: Path, kind: Any, tolerance: float) -> None:
    """The base is stored in float16, so F16 is exact; Q8_0 rounds to 1/127 of a block's largest.

    This matrix is a sensitive one, for it makes the logits too: 6 bits in Q4_K_M.
    """
    path = convert_to_gguf(base, tmp_path / "model.gguf", kind)
    tensor = next(t for t in gguf.GGUFReader(path).tensors if t.name == "token_embd.weight")
    stored = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    wanted = load_file(base / "model.safetensors")["model.embed_tokens.weight"].float().numpy()
    np.testing.assert_allclose(stored, wanted, rtol=0, atol=tolerance * float(np.abs(wanted).max()))


def test_an_adapter_and_its_base_add_up_to_the_merged_file(
    base: Path, adapter: Path, merged: Path, tiny_gguf: Path, tmp_path: Path
) -> None:
    """The converter reorders the rows of query and key projections, so it must reorder those of B, too."""
    converted = gguf.GGUFReader(convert_adapter(base, adapter, tmp_path / "adapter.gguf"))
    alpha, kind = (converted.get_field(f"adapter.{name}").contents() for name in ("lora.alpha", "type"))
    assert (alpha, kind) == (8.0, "lora")
    files = (tiny_gguf, convert_to_gguf(merged, tmp_path / "merged.gguf", "f16"))
    before, after = ({t.name: t.data.astype("f4") for t in gguf.GGUFReader(file).tensors} for file in files)
    update = {tensor.name: tensor.data.astype("f4") for tensor in converted.tensors}
    names = sorted({name.rpartition(".")[0] for name in update})
    assert names == sorted(name for name in after if name.startswith("blk.") and not name.endswith("norm.weight"))
    for name in names:
        whole = before[name] + alpha / 4 * update[f"{name}.lora_b"] @ update[f"{name}.lora_a"]
        np.testing.assert_allclose(whole, after[name], atol=4e-3 * float(np.abs(whole).max()))


@pytest.mark.filterwarnings("ignore:Unexpected keyword arguments")
@pytest.mark.parametrize("change", [{"use_dora": True}, {"rank_pattern": {"q_proj": 8}}, {"peft_type": "IA3"}])
def test_refuses_an_adapter_that_is_not_plain_lora(base: Path, adapter: Path, tmp_path: Path, change: Any) -> None:
    settings = json.loads((adapter / "adapter_config.json").read_text("utf-8"))
    shutil.copytree(adapter, tmp_path / "other")
    (tmp_path / "other" / "adapter_config.json").write_text(json.dumps(settings | change), "utf-8")
    with pytest.raises(ModelError, match=r"llama\.cpp knows plain LoRA alone|not an adapter"):
        convert_adapter(base, tmp_path / "other", tmp_path / "adapter.gguf")
    assert not (tmp_path / "adapter.gguf").exists()


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


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no such model folder"):
        convert_to_gguf(tmp_path / "nothing", tmp_path / "model.gguf")


def without_embedding(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["model.embed_tokens.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def with_more_tokens(folder: Path) -> None:
    tokenizer = load_tokenizer(folder)
    tokenizer.add_tokens(["<sql>"])
    tokenizer.save_pretrained(folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "holds no weights"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "the model cannot be read"),
        (without_embedding, r"the weights lack lm_head\.weight and 1 other tensors"),
        (with_more_tokens, r"has \d+ tokens and the model embeds \d+; call model\.resize_token_embeddings"),
        (lambda folder: [file.unlink() for file in folder.glob("tokenizer*")], "holds no tokenizer"),
        (lambda folder: (folder / "model.safetensors.index.json").write_text("[]"), "cannot be converted"),
    ],
)
def test_a_broken_folder_leaves_no_file(
    base: Path, tmp_path: Path, damage: Callable[[Path], object], message: str
) -> None:
    folder, output = tmp_path / "model", tmp_path / "gguf" / "model.gguf"
    shutil.copytree(base, folder)
    damage(folder)
    with pytest.raises(ModelError, match=message):
        convert_to_gguf(folder, output)
    assert not list(tmp_path.glob("gguf/*"))


def test_code_of_a_folder_is_not_run(base: Path, tmp_path: Path) -> None:
    """The converter loads the tokenizers of some models, such as Dream, with ``trust_remote_code=True``."""
    folder = shutil.copytree(base, tmp_path / "model")
    (folder / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass T: pass")
    changes = {
        "config.json": {"architectures": ["DreamModel"]},
        "tokenizer_config.json": {"auto_map": {"AutoTokenizer": [None, "own.T"]}},
    }
    for file, change in changes.items():
        (folder / file).write_text(json.dumps(json.loads((folder / file).read_text("utf-8")) | change))
    convert_to_gguf(folder, tmp_path / "model.gguf")
    assert not (tmp_path / "ran").exists()


def test_a_conversion_that_fails_keeps_the_file_before(base: Path, tmp_path: Path) -> None:
    folder, output = shutil.copytree(base, tmp_path / "model"), tmp_path / "model.gguf"
    output.write_text("before")
    (folder / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(ModelError, match=r"cannot be converted to model\.gguf"):
        convert_to_gguf(folder, output)
    assert output.read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {"model", "model.gguf"}


def test_a_place_that_cannot_be_written_to(base: Path, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for write in (convert_to_gguf, partial(merge_adapter, base)):
        with pytest.raises(ModelError, match=r"see that .*file can be written to"):
            write(base if write is convert_to_gguf else adapter, tmp_path / "file" / "output")


def test_a_merged_model_replaces_a_model_and_nothing_else(base: Path, adapter: Path, tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").touch()
    for output in (base, adapter, adapter.parent, tmp_path / "notes"):
        with pytest.raises(ModelError, match="would replace what the folder holds; choose an empty one"):
            merge_adapter(base, adapter, output)
    assert (adapter / "adapter_config.json").is_file()
    assert merge_adapter(base, adapter, merge_adapter(base, adapter, tmp_path / "merged")) == tmp_path / "merged"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["merged", "notes"]


def test_an_adapter_with_nan_leaves_no_folder(base: Path, adapter: Path, tmp_path: Path) -> None:
    shutil.copytree(adapter, tmp_path / "adapter")
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    save_file({name: weight * torch.nan for name, weight in weights.items()}, next(tmp_path.glob("*/*.safetensors")))
    with pytest.raises(ModelError, match=r"the merged model cannot be written .*NaN"):
        merge_adapter(base, tmp_path / "adapter", tmp_path / "merged")
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
