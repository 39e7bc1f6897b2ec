from pathlib import Path

import gguf
from transformers import LlamaConfig, LlamaForCausalLM

from course_utils.deployment import convert_to_gguf
from course_utils.deployment.convert import choose_format
from course_utils.models import load_tokenizer


def layers_with_more_bits(matrix: str, n_layers: int) -> list[int]:
    return [
        layer
        for layer in range(n_layers)
        if choose_format("q4_k_m", f"blk.{layer}.{matrix}.weight", 256, n_layers=n_layers, tied=False) == "Q6_K"
    ]


def test_half_of_two_matrices_get_six_bits_as_llama_cpp_documents() -> None:
    """Its README on Q4_K_M: "Q6_K for half of the attention.wv and feed_forward.w2 tensors, else Q4_K"."""
    layers = layers_with_more_bits("attn_v", 32)
    assert layers == layers_with_more_bits("ffn_down", 32)
    assert (len(layers), layers[:4], layers[-4:]) == (16, [0, 1, 2, 3], [28, 29, 30, 31])
    assert not layers_with_more_bits("attn_q", 32) + layers_with_more_bits("ffn_up", 32)


def test_the_logits_matrix_gets_six_bits() -> None:
    chosen = {
        (name, tied): choose_format("q4_k_m", f"{name}.weight", 256, n_layers=4, tied=tied)
        for name in ("token_embd", "output")
        for tied in (True, False)
    }
    assert chosen["token_embd", True] == chosen["output", False] == "Q6_K"
    assert chosen["token_embd", False] == "Q4_K"


def test_rows_that_do_not_fill_a_block_fall_back(base: Path, tmp_path: Path) -> None:
    tokenizer = load_tokenizer(base)
    sizes = {"hidden_size": 192, "intermediate_size": 512, "num_attention_heads": 4, "num_hidden_layers": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=False, **sizes))
    for part in (model, tokenizer):
        part.save_pretrained(tmp_path / "model")
    tensors = gguf.GGUFReader(convert_to_gguf(tmp_path / "model", tmp_path / "model.gguf", "q4_k_m")).tensors
    formats = {tensor.name.removeprefix("blk.0."): tensor.tensor_type.name for tensor in tensors}
    narrow = ("attn_q.weight", "ffn_up.weight", "output.weight", "token_embd.weight")
    assert [formats[name] for name in narrow] == ["Q5_0", "Q5_0", "Q8_0", "Q5_0"]
    assert (formats["ffn_down.weight"], formats["output_norm.weight"]) == ("Q6_K", "F32")
