"""Loading: what is there loads, what is broken says so, and nothing waits for a network."""

import shutil
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from course_utils.artifacts import PROJECT
from course_utils.errors import MissingExtraError, ModelError
from course_utils.models import choose_device, choose_dtype, load, load_model, load_tokenizer

TINY_BASE = PROJECT / "data" / "tiny_base"


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
    ("file", "content"),
    [
        ("model.safetensors", None),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n"),
        ("config.json", b"{"),
        ("config.json", b"{}"),
    ],
)
def test_a_broken_model_folder_is_explained(folder: Path, file: str, content: bytes | None) -> None:
    (folder / file).unlink()
    if content is not None:
        (folder / file).write_bytes(content)
    with pytest.raises(ModelError, match="the model cannot be read"):
        load_model(folder)


def test_a_download_cut_short_is_explained(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(ModelError, match="the model cannot be read"):
        load_model(folder)


def test_a_broken_tokenizer_is_explained(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match="the tokenizer cannot be read"):
        load_tokenizer(folder)


def test_a_folder_without_an_adapter_names_the_notebook(folder: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no LoRA adapter; run notebooks/03_training\.ipynb"):
        load_model(TINY_BASE, adapter=folder)


@pytest.mark.skipif(torch.cuda.is_available(), reason="bitsandbytes may be installed beside a GPU")
def test_four_bits_without_bitsandbytes_name_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"course-utils\[gpu\]"):
        load_model(TINY_BASE, load_in_4bit=True)


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


def test_threads_are_all_or_one_fewer_and_a_later_choice_may_take_all_again(monkeypatch: pytest.MonkeyPatch) -> None:
    most = torch.get_num_threads()
    monkeypatch.setattr(load, "_all_threads", lambda: 3)
    monkeypatch.setattr(load, "_products_per_s", lambda n_threads: {3: 10.0, 2: 20.0}[n_threads])
    assert load.choose_threads() == torch.get_num_threads() == 2
    monkeypatch.setattr(load, "_products_per_s", lambda n_threads: float(n_threads))
    assert load.choose_threads() == 3
    torch.set_num_threads(most)
