"""llama.cpp's K-quants, where 256 weights share scales: which matrix gets how many bits, and what rounds them."""

from functools import partial

from course_utils.errors import require

K_QUANTS = {"q4_k_m": ("Q4_K", "Q6_K"), "q2_k": ("Q2_K", "Q2_K")}
"""The format of most matrices, and that of the sensitive ones; ``q2_k`` spares none."""
_FALLBACK = {"Q2_K": "Q4_0", "Q4_K": "Q5_0", "Q6_K": "Q8_0"}
"""With blocks of 32, for rows that blocks of 256 do not fill."""


def choose_format(kind: str, tensor: str, n_columns: int, *, n_layers: int, tied: bool) -> str:
    """The format of one matrix of a dense model, such as ``Q4_K``, by its name in the file and its row length.

    Sensitive are the matrix that computes the logits, which is the embedding where the two are ``tied``, and, in the
    first and the last eighth of the layers and every third between, the value projection and the way out of the
    feed-forward part. Source: ``llama_tensor_get_type`` and ``use_more_bits`` in llama.cpp's llama-quant.cpp.
    """
    usual, sensitive = K_QUANTS[kind]
    is_sensitive = tensor == ("token_embd.weight" if tied else "output.weight")
    if tensor.endswith(("attn_v.weight", "ffn_down.weight")):
        layer, eighth = int(tensor.split(".")[1]), n_layers // 8
        is_sensitive = layer < eighth or layer >= 7 * n_layers // 8 or (layer - eighth) % 3 == 2
    chosen = sensitive if is_sensitive else usual
    return chosen if n_columns % 256 == 0 else _FALLBACK[chosen]


def teach_k_quants() -> None:
    """Let ``gguf``, which by itself only reads K-quants, write them by libgguf; MissingExtraError without it."""
    require("serve", "libgguf")
    import gguf
    import libgguf

    for name in _FALLBACK:
        to_bytes = partial(libgguf.quantize_rows, qtype=gguf.GGMLQuantizationType[name])
        getattr(gguf.quants, name).quantize_blocks = staticmethod(to_bytes)
