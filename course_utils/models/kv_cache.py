"""Keys and values of what generation has read. It loads Transformers, so import it where it is used."""

from typing import Any

import torch
from transformers.cache_utils import DynamicLayer

ROOM = 256
"""Tokens that are made room for at a time."""


class RoomyLayer(DynamicLayer):  # type: ignore[misc]
    """One layer's keys and values, (rows, heads, tokens, width) each, at the front of tensors that have room for more.

    Transformers' own layer copies all that it holds at every token, and again where a reply leaves the batch: together
    a third of the time on a CPU. Here a step writes its own token, and only rows that change places are copied.
    """

    def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> tuple[Any, Any]:
        """Add the keys and values of further tokens, and return all."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states[:, :, :0], value_states[:, :, :0]
            self._rooms = [self.keys, self.values]
        n_rows, _, n_new, _ = key_states.shape
        begin, end = self.keys.shape[2], self.keys.shape[2] + n_new
        if end > self._rooms[0].shape[2]:
            self._make_room(torch.arange(n_rows), n_new + ROOM)
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:n_rows, :, begin:end] = states
        self._show(n_rows, end)
        return self.keys, self.values

    def batch_select_indices(self, indices: Any) -> None:
        """Let the rows be those at ``indices``, in this order; they may repeat."""
        if len(indices) > len(self._rooms[0]):
            self._make_room(indices, ROOM)
        elif len(moved := (indices != torch.arange(len(indices))).nonzero().flatten()):
            for room in self._rooms:
                room[moved] = room[indices[moved]]
        self._show(len(indices), self.keys.shape[2])

    def _make_room(self, indices: Any, n_more: int) -> None:
        n_tokens = self.keys.shape[2]
        for number, held in enumerate((self.keys, self.values)):
            self._rooms[number] = held.new_empty(len(indices), held.shape[1], n_tokens + n_more, held.shape[3])
            self._rooms[number][:, :, :n_tokens] = held[indices]

    def _show(self, n_rows: int, n_tokens: int) -> None:
        self.keys, self.values = (room[:n_rows, :, :n_tokens] for room in self._rooms)
