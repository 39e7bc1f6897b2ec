"""Loading: what is there loads, what is broken says so, and nothing waits for a network."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from course_utils.errors import MissingExtraError, ModelError
from course_utils.files import PROJECT, read_json, write_json
from course_utils.models import choose_device, choose_dtype, hub, load, load_model, load_tokenizer

TINY_BASE = PROJECT / "data" / "tiny_base"
LAYER = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return shutil.copytree(TINY_BASE, tmp_path / "model")


def test_the_tokenizer_pads_on_the_left_and_not_with_its_end_token() -> None:
    tokenizer = load_tokenizer("data/tiny_base")
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)


def test_a_tokenizer_that_pads_with_its_end_token_gets_another_pad_token(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    tokenizer.save_pretrained(folder)
    loaded = load_tokenizer(folder)
    assert loaded.eos_token == tokenizer.eos_token
    assert loaded.pad_token_id != loaded.eos_token_id
    assert loaded.pad_token in loaded.get_vocab()
    assert len(loaded) == len(tokenizer)


def test_the_model_computes_in_the_chosen_format_and_is_in_evaluation_mode() -> None:
    model = load_model(TINY_BASE)
    assert not model.training
    if not torch.cuda.is_available():
        assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_a_missing_folder_is_named() -> None:
    for load_one in (load_model, load_tokenizer):
        with pytest.raises(ModelError, match=r"no_such_model: there is no such model folder; check MODEL"):
            load_one("data/no_such_model")
        with pytest.raises(ModelError, match=r"README.md: a file, but a model is a folder; only course predict"):
            load_one("data/tiny_base/README.md")


def test_a_folder_without_a_tokenizer_is_refused(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match=r"the folder holds no tokenizer; copy tokenizer\.json"):
        load_tokenizer(folder)


def test_a_folder_without_a_model_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"holds no config\.json; point MODEL at"):
        load_model(folder)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.safetensors", None, "the folder holds no weights; copy"),
        ("model.safetensors", b"", "the model cannot be read .*header too small"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "the model cannot be read"),
        ("config.json", b"{", "the model cannot be read .*not a valid JSON"),
        ("config.json", b"[]", "the model cannot be read"),
        ("config.json", b"{}", "the model cannot be read .*model_type"),
    ],
)
def test_a_broken_model_folder_is_explained(folder: Path, file: str, content: bytes | None, message: str) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ModelError, match=message):
        load_model(folder)


def test_a_download_cut_short_is_explained(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="the model cannot be read"):
        load_model(folder)


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_checkpoint_that_is_none_is_explained(folder: Path, content: bytes) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(ModelError, match="the model cannot be read"):
        load_model(folder)


def test_a_missing_shard_is_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model-00001-of-00002.safetensors", {"format": "pt"})
    shards = dict.fromkeys(weights, "model-00001-of-00002.safetensors") | {LAYER: "model-00002-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": shards}))
    with pytest.raises(ModelError, match=r"cannot be read .*model-00002-of-00002\.safetensors"):
        load_model(folder)


def test_an_adapter_in_the_weights_says_the_same_as_one_on_top(tmp_path: Path) -> None:
    drawn = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    get_peft_model(load_model(TINY_BASE), drawn).save_pretrained(tmp_path)
    base, on_top, merged = (
        load_model(TINY_BASE, adapter=adapter, merge=merge)
        for adapter, merge in ((None, True), (tmp_path, False), (tmp_path, True))
    )
    ids = torch.tensor([[3, 4, 5]])
    assert type(merged) is type(base)
    assert torch.allclose(merged(ids).logits, on_top(ids).logits, atol=1e-4)
    assert not torch.allclose(merged(ids).logits, base(ids).logits, atol=1e-2)


@pytest.mark.parametrize("load_one", [load_model, load.load_skeleton])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, weight: {} if name == LAYER else {name: weight}, rf"lack {LAYER} in"),
        (lambda name, weight: {name: weight[:8].clone() if name == LAYER else weight}, rf"lack {LAYER} in"),
        (lambda name, weight: {f"base_model.model.{name}": weight}, r"lack lm_head\.weight and \d+ other tensors"),
    ],
)
def test_weights_that_do_not_fit_are_not_drawn_at_random(
    folder: Path, load_one: Callable[[Path], object], change: Callable[..., dict[str, torch.Tensor]], message: str
) -> None:
    weights = load_file(folder / "model.safetensors")
    changed = [change(name, weight) for name, weight in weights.items()]
    save_file({k: v for each in changed for k, v in each.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=message):
        load_one(folder)


def test_a_model_that_says_how_to_draw_and_draws_nothing_can_be_saved(folder: Path, tmp_path: Path) -> None:
    settings = read_json(folder / "generation_config.json")
    write_json(folder / "generation_config.json", settings | {"temperature": 0.6, "top_p": 0.9, "top_k": 20})
    load_model(folder).save_pretrained(tmp_path / "saved")
    assert "temperature" not in read_json(tmp_path / "saved" / "generation_config.json")
    write_json(folder / "generation_config.json", settings | {"do_sample": True, "temperature": 0.6})
    assert load_model(folder).generation_config.temperature == 0.6


def test_a_skeleton_has_every_weight_and_holds_none() -> None:
    weights = load_file(TINY_BASE / "model.safetensors")
    skeleton = load.load_skeleton(TINY_BASE).state_dict()
    assert {skeleton[name].shape for name in weights} == {weight.shape for weight in weights.values()}
    assert {weight.device.type for weight in skeleton.values()} == {"meta"}


def test_code_of_a_model_folder_is_not_run(folder: Path) -> None:
    """Neither the model's nor the tokenizer's, and the message says that this is the reason."""
    ran = folder / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')")
    for file, kind in {"config.json": "own", "tokenizer_config.json": ""}.items():
        settings = json.loads((folder / file).read_text("utf-8"))
        settings["auto_map"] = {
            "AutoConfig": "own.C",
            "AutoModelForCausalLM": "own.M",
            "AutoTokenizer": [None, "own.T"],
        }
        settings |= {"model_type": kind} if kind else {"tokenizer_class": "T"}
        (folder / file).write_text(json.dumps(settings))
    for load_one in (load_model, load_tokenizer):
        with pytest.raises(ModelError, match="needs Python code of its own, which the course does not run; choose"):
            load_one(folder)
    assert not ran.exists()


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("unable to mmap 269060280 bytes from file <model.safetensors>: Cannot allocate memory (12)"),
        RuntimeError("can't start new thread"),
        OSError(12, "Cannot allocate memory"),
        KeyboardInterrupt(),
    ],
)
def test_what_is_no_fault_of_the_files_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), hub.explain_loading("data", "model"):
        raise error


def test_a_broken_tokenizer_is_explained(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="the tokenizer cannot be read"):
        load_tokenizer(folder)


def test_a_folder_without_an_adapter_names_the_notebook(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no adapter; run notebooks/03_training\.ipynb"):
        load_model(TINY_BASE, adapter=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name, weight: {name: weight[:, :4].clone()}, "size mismatch"),
        (lambda name, weight: {f"other.{name}": weight}, "missing adapter keys"),
    ],
)
def test_an_adapter_that_does_not_fit_is_explained(
    tmp_path: Path, change: Callable[..., dict[str, torch.Tensor]], message: str
) -> None:
    get_peft_model(load_model(TINY_BASE), LoraConfig(r=2, target_modules=["q_proj"])).save_pretrained(tmp_path)
    file = tmp_path / "adapter_model.safetensors"
    changed = [change(name, weight) for name, weight in load_file(file).items()]
    save_file({k: v for each in changed for k, v in each.items()}, file)
    with pytest.raises(ModelError, match=f"the adapter cannot be read .*{message}"):
        load_model(TINY_BASE, adapter=tmp_path)


def test_four_bits_without_bitsandbytes_say_where_there_are_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)  # as on a Mac, for which it is not locked
    with pytest.raises(MissingExtraError, match=r'bitsandbytes: on Linux run .*install\.py, else set method="lora"'):
        load_model(TINY_BASE, load_in_4bit=True)


def test_four_bits_a_weight_are_4_13_with_their_scales() -> None:
    pytest.importorskip("bitsandbytes", reason="bitsandbytes is locked for Linux alone")
    model = load_model(TINY_BASE, load_in_4bit=True)
    held = {tensor.data_ptr(): tensor.nbytes for tensor in model.state_dict().values()}
    others = sum(weight.nbytes for weight in model.parameters() if weight.dtype != torch.uint8)
    n_rounded = sum(2 * weight.numel() for weight in model.parameters() if weight.dtype == torch.uint8)
    # Dettmers et al. 2023, section 3; matrices as small as these add a tenth of a bit for each one's table of levels
    assert (sum(held.values()) - others) * 8 / n_rounded == pytest.approx(4.127, abs=0.15)


@pytest.mark.skipif(torch.cuda.is_available() or torch.backends.mps.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_cpu_is_chosen_with_the_reason() -> None:
    choice = choose_device()
    assert choice.value == "cpu"
    assert "no GPU" in choice.reason


def test_a_cpu_computes_in_float32() -> None:
    choice = choose_dtype("cpu")
    assert choice.value == "float32"
    assert "slower" in choice.reason


@pytest.mark.parametrize(("modern", "dtype"), [(True, "bfloat16"), (False, "float16")])
def test_a_gpu_computes_in_bfloat16_where_it_can(modern: bool, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # A T4 emulates bfloat16, slowly; only a real one counts.
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: modern or including_emulation)
    choice = choose_dtype("cuda")
    assert choice.value == dtype
    assert choice.reason


def test_every_format_is_one_of_torchs() -> None:
    for device in ("cpu", "mps"):
        assert isinstance(getattr(torch, choose_dtype(device).value), torch.dtype)


@pytest.mark.parametrize(
    ("factor", "width", "dtype"), [(3, 576, "bfloat16"), (1.2, 576, "float32"), (3, 256, "float32")]
)
def test_products_are_taken_in_what_is_faster(
    factor: float, width: int, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_products_per_s", lambda n, width, name, clock: factor if name == "bfloat16" else 1)
    choice = load.choose_product_dtype(width)
    assert choice.value == dtype
    assert "bfloat16 are" in choice.reason or "narrower" in choice.reason


def test_the_probe_leaves_the_threads_as_they_are() -> None:
    before = torch.get_num_threads()
    assert load.choose_product_dtype(load.NARROW).value in ("bfloat16", "float32")
    assert torch.get_num_threads() == before


def test_no_thread_is_beyond_what_a_container_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "n_cores", lambda: 1)
    load._all_threads.cache_clear()
    assert load._all_threads() == 1
    load._all_threads.cache_clear()


def test_threads_are_all_or_one_fewer_and_a_later_choice_may_take_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    most, moment = torch.get_num_threads(), 1000.0
    monkeypatch.setattr(load, "_all_threads", lambda: 3)
    monkeypatch.setattr(load.time, "monotonic", lambda: moment)
    monkeypatch.setattr(load, "_products_per_s", lambda n_threads: {3: 10.0, 2: 20.0}[n_threads])
    assert load.set_threads() == torch.get_num_threads() == 2
    monkeypatch.setattr(load, "_products_per_s", lambda n_threads: float(n_threads))
    torch.set_num_threads(1)
    assert load.set_threads() == torch.get_num_threads() == 2, "it was chosen a moment ago"
    moment += load.PERIOD_S
    assert load.set_threads() == 3
    moment += load.PERIOD_S
    monkeypatch.setattr(load, "_all_threads", lambda: 1)
    monkeypatch.setattr(load, "_products_per_s", lambda n_threads: pytest.fail("there is nothing to choose"))
    assert load.set_threads() == 1
    load._choose_threads.cache_clear()
    torch.set_num_threads(most)
