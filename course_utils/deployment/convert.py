"""Merge an adapter into its base model and convert the result to GGUF or ONNX.

An adapter can also be converted alone: llama.cpp adds a GGUF adapter to a base model in any number format.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal
from unittest.mock import patch

from course_utils.errors import ModelError, require
from course_utils.files import read_json, resolve, writing
from course_utils.models import load_model, load_tokenizer
from course_utils.models.hub import explain_failure, locate_folder
from course_utils.models.load import load_skeleton
from course_utils.network import disable_telemetry

Kind = Literal["f16", "q8_0", "q4_k_m", "q2_k"]
K_QUANTS = {"q4_k_m": ("Q4_K", "Q6_K"), "q2_k": ("Q2_K", "Q2_K")}
"""llama.cpp's K-quants, in blocks of 256 weights: the format of most matrices and that of the sensitive ones."""
_FALLBACK = {"Q2_K": "Q4_0", "Q4_K": "Q5_0", "Q6_K": "Q8_0"}
"""Formats in blocks of 32, for rows whose length is not a multiple of 256."""


def merge_adapter(base: str | Path, adapter: Path, output: Path) -> Path:
    """Save ``base`` with the adapter added to its weights, and its tokenizer; ``adapter`` may also be a full model.

    Each adapted matrix becomes W + (alpha / r) B A (LoRA, arXiv 2106.09685, section 4). The sum is
    computed and stored in 16- or 32-bit floating point, never in 4 bits, because the update is small
    and rounding to 4 bits would change it. Any application that reads Transformers models can load ``output``.

    Raises:
        ModelError: A folder is missing, holds no model or no adapter, or cannot be written, or ``output`` holds other
            files; ``output`` then stays as it was.
    """
    is_other = output.is_dir() and any(output.iterdir()) and not (output / "config.json").is_file()
    if is_other or any(resolve(read).is_relative_to(output.resolve()) for read in (base, adapter)):
        raise ModelError(f"{output}: the merged model would replace what the folder holds; choose an empty one")
    tokenizer = load_tokenizer(base)
    model = load_model(base, adapter=adapter)
    remedy = f"train the adapter again, and see that {output.parent} can be written to"
    with explain_failure(str(output), "the merged model cannot be written", remedy), writing(output) as unfinished:
        is_adapted = hasattr(model, "merge_and_unload")
        merged = model.merge_and_unload(safe_merge=True) if is_adapted else model  # safe_merge stops at NaN
        merged.save_pretrained(unfinished)
        tokenizer.save_pretrained(unfinished)
    return output


def convert_to_gguf(model: str | Path, output: Path, kind: Kind = "f16") -> Path:
    """Write weights, tokenizer and chat template of a model into one GGUF file.

    ``kind`` is the format of the weight matrices. Bytes a weight: f16 2, q8_0 about 1.06, q4_k_m 0.6, q2_k 0.33.

    Raises:
        MissingExtraError: The converter is not installed.
        ModelError: The folder is incomplete or broken, llama.cpp does not know its model, or ``output`` cannot be
            written; it then stays as it was.
    """
    folder = locate_folder(model)
    n_embedded = load_skeleton(folder).get_input_embeddings().num_embeddings
    if (n_tokens := len(load_tokenizer(folder))) > n_embedded:
        remedy = "call model.resize_token_embeddings, train the new rows, and save both again"
        raise ModelError(f"{folder}: the tokenizer has {n_tokens} tokens and the model embeds {n_embedded}; {remedy}")
    changes: dict[str, Any] = {"tensor_force_quant": _choose_k_quants(kind)} if kind in K_QUANTS else {}
    if splits_like_smollm(folder / "tokenizer.json"):
        # The converter identifies a pre-tokenizer by a hash of token ids, so it rejects every newly trained vocabulary,
        # although llama.cpp implements the rules that split its text.
        changes["get_vocab_base_pre"] = lambda converter, tokenizer: "smollm"
    return _convert(folder, output, f"MOSTLY_{kind.upper()}", changes)


def convert_adapter(base: str | Path, adapter: Path, output: Path) -> Path:
    """Write a LoRA adapter alone into a GGUF file, which llama.cpp adds to ``base`` in any number format.

    One server can then answer each request as the base, as the tuned model, or by another adapter of the same base.

    Raises:
        MissingExtraError: The converter is not installed.
        ModelError: The adapter is missing or not plain LoRA, llama.cpp does not know ``base``, or ``output`` cannot be
            written.
    """
    from peft import PeftConfig
    from safetensors.torch import load_file

    with explain_failure(str(adapter), "not an adapter", "run notebooks/03_training.ipynb again"):
        settings = PeftConfig.from_pretrained(adapter)
        matrices = load_file(adapter / "adapter_model.safetensors")
    pairs = {
        name.removeprefix("base_model.model.").replace("lora_B.", ""): (matrices[name.replace("_B.", "_A.")], matrix)
        for name, matrix in matrices.items()
        if name.endswith(".lora_B.weight")
    }
    is_plain = settings.peft_type == "LORA" and not (settings.use_dora or settings.rank_pattern)
    if not is_plain or settings.alpha_pattern or 2 * len(pairs) != len(matrices):
        raise ModelError(f"{adapter}: llama.cpp knows plain LoRA alone; merge the adapter instead")
    # llama.cpp multiplies by alpha / r; rank-stabilised LoRA by alpha / sqrt(r).
    alpha = settings.lora_alpha * (settings.r**0.5 if settings.use_rslora else 1)

    def modify_tensors(converter: Any, data: Any, name: str, layer: int | None) -> Iterator[tuple[str, Any]]:
        # Some architectures reorder heads, that is the rows of W and so of B; A stays as it is.
        for gguf_name, b in super(type(converter), converter).modify_tensors(data, name, layer):
            yield f"{gguf_name}.lora_a", pairs[name][0]
            yield f"{gguf_name}.lora_b", b

    def describe(converter: Any) -> None:
        converter.gguf_writer.add_type("adapter")
        converter.gguf_writer.add_string("adapter.type", "lora")
        converter.gguf_writer.add_float32("adapter.lora.alpha", alpha)

    changes = {
        "get_tensors": lambda converter: ((name, b) for name, (_, b) in pairs.items()),
        "modify_tensors": modify_tensors,
        "set_type": describe,
        **dict.fromkeys(("generate_extra_tensors", "set_vocab", "set_gguf_parameters"), lambda converter: ()),
    }
    return _convert(locate_folder(base), output, "MOSTLY_F16", changes)


def _convert(folder: Path, output: Path, file_type: str, changes: dict[str, Any]) -> Path:
    """Run llama.cpp's converter over a model folder, with some of its methods replaced."""
    require("serve", "conversion", "gguf")
    import conversion
    import gguf
    import torch

    for name in ("hf-to-gguf", "gguf.gguf_writer", "gguf.vocab"):
        logging.getLogger(name).setLevel(logging.ERROR)
    remedy = f"see that {output.parent} can be written to, merge or download the model again, or serve it with vLLM"
    with (
        explain_failure(str(folder), f"the folder cannot be converted to {output.name}", remedy),
        writing(output) as unfinished,
        _without_remote_code(),
        torch.inference_mode(),
    ):
        parameters = conversion.ModelBase.load_hparams(folder, False)
        architecture = conversion.get_model_architecture(parameters, conversion.ModelType.TEXT)
        converter = conversion.get_model_class(architecture)
        changed = type(converter.__name__, (converter,), {"model_arch": converter.model_arch, **changes})
        changed(folder, gguf.LlamaFileType[file_type], unfinished).write()
    return output


@contextmanager
def _without_remote_code() -> Iterator[None]:
    """Keep Transformers from running a model folder's Python code, which the converter allows for some models."""
    from transformers.models.auto import configuration_auto, tokenization_auto

    ask = tokenization_auto.resolve_trust_remote_code
    refuse: Any = {"resolve_trust_remote_code": lambda _, *rest, **more: ask(False, *rest, **more)}
    with patch.multiple(configuration_auto, **refuse), patch.multiple(tokenization_auto, **refuse):
        yield


def splits_like_smollm(tokenizer_file: Path) -> bool:
    """Whether a tokenizer is byte-level BPE that splits text into single digits and by GPT-2's pattern only."""
    if not tokenizer_file.is_file():
        return False
    tokenizer = read_json(tokenizer_file)
    digits = {"type": "Digits", "individual_digits": True}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    pre_tokenizer = {"type": "Sequence", "pretokenizers": [digits, byte_level]}
    model, more = tokenizer["model"], ("byte_fallback", "ignore_merges")
    is_plain = model["type"] == "BPE" and not (tokenizer.get("normalizer") or any(model.get(name) for name in more))
    return bool(is_plain and tokenizer.get("pre_tokenizer") == pre_tokenizer)


def choose_format(kind: str, tensor: str, n_columns: int, *, n_layers: int, tied: bool) -> str:
    """The format of one matrix of a dense model, such as ``Q4_K``, by its GGUF name and its row length ``n_columns``.

    Sensitive are the matrix that computes the logits (the embedding, if the two are ``tied``), and the value and down
    projections of the first and the last eighth of the layers and of every third layer between them. Source:
    ``llama_tensor_get_type`` and ``use_more_bits`` in llama.cpp's llama-quant.cpp.
    """
    usual, sensitive = K_QUANTS[kind]
    is_sensitive = tensor == ("token_embd.weight" if tied else "output.weight")
    if tensor.endswith(("attn_v.weight", "ffn_down.weight")):
        layer, eighth = int(tensor.split(".")[1]), n_layers // 8
        is_sensitive = layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2
    chosen = sensitive if is_sensitive else usual
    return chosen if n_columns % 256 == 0 else _FALLBACK[chosen]


def _choose_k_quants(kind: str) -> Callable[..., Any]:
    """Let ``gguf`` write K-quants, and return the function that chooses formats; MissingExtraError without libgguf."""
    require("serve", "libgguf")
    import gguf
    import libgguf

    for name in _FALLBACK:
        to_bytes = partial(libgguf.quantize_rows, qtype=gguf.GGMLQuantizationType[name])
        getattr(gguf.quants, name).quantize_blocks = staticmethod(to_bytes)

    def choose(converter: Any, name: str, tensor: str, layer: int | None, n_dims: int) -> Any:
        if n_dims < 2:
            return False  # the converter's own choice: 32 bits
        tied, n_columns = "lm_head.weight" not in converter.model_tensors, converter.model_tensors[name]().shape[-1]
        chosen = choose_format(kind, tensor, n_columns, n_layers=converter.block_count, tied=tied)
        return gguf.GGMLQuantizationType[chosen]

    return choose


def convert_to_onnx(folder: Path, output: Path, precision: Literal["fp32", "int4"]) -> Path:
    """Write a model folder as an ONNX graph for CPUs, with its tokenizer and generation settings.

    Raises:
        MissingExtraError: A package is not installed.
        ModelError: ONNX Runtime's builder does not know the model, or ``output`` cannot be written.
    """
    require("serve", "onnx_ir", "onnxruntime_genai")
    disable_telemetry()
    logging.root.addHandler(handler := logging.NullHandler())  # or the import sends every library's log to stderr
    from onnxruntime_genai.models import builder

    logging.root.removeHandler(handler)
    failure = explain_failure(str(folder), "cannot be converted to ONNX", "serve it with llama.cpp or vLLM instead")
    with failure, writing(output) as unfinished, TemporaryDirectory() as cache, redirect_stdout(StringIO()):
        details = builder.get_hf_details("", str(folder), cache, {})
        builder.create_model("", str(folder), str(unfinished), precision, "cpu", cache, hf_details=details)
    return output
