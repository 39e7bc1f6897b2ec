"""Replay a training step on a GPU, instead of launching its thousands of kernels one by one.

A small model leaves a large GPU so little to do in each kernel that starting them takes most of the time. A CUDA graph
holds the kernels of a whole pass and starts them at once. It runs on the tensors that it was recorded with, so batches
of ``collate_shared`` are padded to few lengths, one graph each. Source: PyTorch, *CUDA semantics*, on CUDA graphs.
"""

from typing import Any, NamedTuple

import torch
from torch.nn.functional import cross_entropy

from course_utils.training.shared_prompts import IGNORED

LENGTH_STEP = 256
"""Batches are as long as the next multiple of this: a course's schemas make two to four lengths."""
N_WARM_UPS = 3
"""Passes before a recording, in which libraries choose their kernels."""


class GraphedPass:
    """Forward and backward passes of a model over batches of ``collate_shared``, with the loss of ``label_loss``.

    Each length is recorded when it comes for the first time, in about a second. A pass writes its gradients over those
    of the one before, so a step is one pass.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self._free = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._recorded: dict[int, _Recorded] = {}
        self._memory = torch.cuda.graph_pool_handle()  # one for all, for only one pass runs at a time

    def run(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The mean loss of a batch in nats a token, a tensor on the GPU; its gradients are in the parameters then."""
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
        logits = self._model(**inputs, use_cache=False).logits[0, :-1]  # all: how many have a label is not fixed
        loss = cross_entropy(logits.float(), labels, ignore_index=IGNORED)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss


class _Recorded(NamedTuple):
    graph: torch.cuda.CUDAGraph
    batch: dict[str, torch.Tensor]
    loss: torch.Tensor
    gradients: list[Any]
