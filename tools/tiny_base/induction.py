"""Start a model with one induction head in place: two heads that together copy what followed the same token before.

A column of an invented schema can only be named by copying it. The circuit for this is known (Olsson et al. 2022,
arXiv:2209.11895): a head of the first layer adds each token's predecessor to its state, and a head of the second layer
attends to the place whose predecessor is the current token, and predicts the token there. From random weights, this
tiny model needed five million tokens to learn the circuit for lower-case names, and did not learn it within five
million for names in every case. With the circuit in its initial weights, it copies within half a million tokens.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import LlamaForCausalLM

SHARED_SIZE = 2.0
"""Length of what all embeddings share, in lengths of an embedding: by it a head finds places, whatever stands there."""
N_FAST = 8
"""Pairs of the rotary embedding by which the first head looks back; the faster they turn, the sharper it looks."""
LOOK, MATCH, CARRY, SAY = 7.0, 4.0, 8.0, 20.0
"""Strengths: of looking one place back and of matching tokens, then of what either head writes."""


def install_induction(model: "LlamaForCausalLM", seed: int) -> None:
    """Set the first head of layers 0 and 1 and add to all embeddings what they share, in place.

    Args:
        model: Freshly initialised, two layers or more, with rotary embeddings and tied weights.
        seed: Of the directions in which the heads write.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)
    embeddings = model.get_input_embeddings().weight.data
    scale, width = embeddings.std(), model.config.hidden_size
    shared = torch.randn(width, generator=generator).sign() * SHARED_SIZE * scale
    embeddings += shared
    shared /= shared.norm()
    head_size = model.config.head_dim
    read, said = (_directions(width, head_size, generator) for _ in range(2))
    carried = read @ _directions(width, width, generator)  # the directions in which layer 1 writes the predecessor
    own = torch.eye(width) - torch.outer(shared, shared)  # removes the vector that all embeddings share

    first, second = (layer.self_attn for layer in model.model.layers[:2])
    query, key = _one_place_back(head_size, model.config.rope_parameters["rope_theta"])
    strength = LOOK / (width * SHARED_SIZE**2 / (1 + SHARED_SIZE**2)) ** 0.5
    first.q_proj.weight.data[:head_size] += strength * torch.outer(query, shared)
    first.k_proj.weight.data[:head_size] += strength * torch.outer(key, shared)
    first.v_proj.weight.data[:head_size] = read @ own
    first.o_proj.weight.data[:, :head_size] = CARRY * scale * carried.T

    slow = torch.arange(head_size).view(2, 2, -1)[:, 1].flatten()  # rotary pairs that hardly turn at any distance
    for projection, matched in ((second.q_proj, read @ own), (second.k_proj, carried)):
        projection.weight.data[:head_size] = 0
        projection.weight.data[slow] = MATCH * matched[: len(slow)]
    second.v_proj.weight.data[:head_size] = said @ own
    second.o_proj.weight.data[:, :head_size] = SAY * scale * said.T


def _directions(width: int, n: int, generator: "torch.Generator") -> "torch.Tensor":
    """``n`` orthonormal directions, shape (n, width)."""
    import torch

    orthonormal: torch.Tensor = torch.linalg.qr(torch.randn(width, n, generator=generator))[0].T
    return orthonormal


def _one_place_back(head_size: int, theta: float) -> "tuple[torch.Tensor, torch.Tensor]":
    """A query and a key, shape (head_size,), whose product after rotation is largest one place back.

    Rotary embeddings turn pair i by position times angle i, so that the pairs' product is the cosine of distance times
    angle; turning the query back by one angle moves the peak from distance 0 to 1.
    """
    import torch

    angles = theta ** -(torch.arange(head_size // 2) / (head_size // 2))
    fast = (torch.arange(head_size // 2) < N_FAST).float()
    query = torch.cat([fast * torch.cos(angles), -fast * torch.sin(angles)])
    return query, torch.cat([fast, torch.zeros_like(fast)])
