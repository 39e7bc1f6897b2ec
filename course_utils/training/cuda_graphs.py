"""Replay a training step on a GPU, instead of launching its thousands of kernels one by one.

The kernels of a small model are so short that launching them takes most of the time on a large GPU. A CUDA graph holds
the kernels of a whole pass and launches them at once. Its tensors have fixed shapes, so batches of ``collate_shared``
are padded to few lengths, with one graph for each. Source: PyTorch, *CUDA semantics*, on CUDA graphs.
"""

from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from course_utils.training.shared_prompts import IGNORED

LENGTH_STEP = 256
"""Tokens. Batches are padded to a multiple of this length; the course's schemas make two to four lengths."""
N_WARM_UPS = 3
"""Passes before a recording, because libraries choose their kernels in the first ones."""


class GraphedPass:
    """Forward and backward passes of a model over batches of ``collate_shared``, with the loss of ``label_loss``.

    The first batch of each length is recorded, which takes about a second. A pass overwrites the gradients of the pass
    before, so gradients cannot be accumulated over passes.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._free = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._recorded: dict[int, _Recorded] = {}
        self._memory = torch.cuda.graph_pool_handle()  # shared, because only one graph runs at a time

    def run(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Set the gradients of a batch; return its mean loss, a scalar GPU tensor in nats per token with a label."""
        length = batch["input_ids"].shape[1]
        if length not in self._recorded:
            self._recorded[length] = self._record({name: part.clone() for name, part in batch.items()})
        recorded = self._recorded[length]
        for name, part in recorded.batch.items():
            part.copy_(batch[name])
        recorded.graph.replay()
        for parameter, gradient in zip(self._free, recorded.gradients, strict=True):
            parameter.grad = gradient
        return recorded.loss.detach().clone()

    def _record(self, batch: dict[str, torch.Tensor]) -> "_Recorded":
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(N_WARM_UPS):
                self._pass(batch)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._memory):
            loss = self._pass(batch)
        return _Recorded(graph, batch, loss, [parameter.grad for parameter in self._free])

    def _pass(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        for parameter in self._free:
            parameter.grad = None
        inputs, labels = {name: part for name, part in batch.items() if name != "labels"}, batch["labels"][0, 1:]
        logits = self._model(**inputs, use_cache=False).logits[0, :-1]  # of all tokens, as shapes must not vary
        loss = cross_entropy(logits.float(), labels, ignore_index=IGNORED)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss


class _Recorded(NamedTuple):
    graph: torch.cuda.CUDAGraph
    batch: dict[str, torch.Tensor]
    loss: torch.Tensor
    gradients: list[Any]
