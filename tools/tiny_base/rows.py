"""Turn documents into rows of one length: token ids, and labels for the tokens that are learned."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tools.tiny_base.documents import Document
from tools.tiny_base.tokenizer import as_text, learned_spans

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

WAITING_DOCUMENTS = 64
"""Encoded documents from which a row takes the longest that fits."""
IGNORED = -100
"""The label that cross-entropy skips."""


@dataclass
class Encoded:
    """A document's token ids, and its labels: the ids where there is something to learn."""

    ids: list[int]
    labels: list[int]


def encode(tokenizer: "PreTrainedTokenizerFast", document: Document) -> Encoded:
    """Token ids and labels of a document."""
    text = as_text(tokenizer, document)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    is_learned = bytearray(len(text) + 1)
    for start, end in learned_spans(text, document):
        is_learned[start:end] = b"\1" * (end - start)
    pairs = zip(encoded["input_ids"], encoded["offset_mapping"], strict=True)
    return Encoded(encoded["input_ids"], [token if is_learned[end - 1] else IGNORED for token, (_, end) in pairs])


def fill_rows(tokenizer: "PreTrainedTokenizerFast", stream: Iterator[Document]) -> Callable[[int], Encoded]:
    """A function that fills a row of so many tokens with whole documents; it passes over those too long for a row."""
    waiting: list[Encoded] = []

    def fill(n_tokens: int) -> Encoded:
        row = Encoded([], [])
        while True:
            while len(waiting) < WAITING_DOCUMENTS:
                document = encode(tokenizer, next(stream))
                waiting.extend([document] if len(document.ids) <= n_tokens else [])
            fitting = [document for document in waiting if len(document.ids) <= n_tokens - len(row.ids)]
            if not fitting:
                break
            chosen = max(fitting, key=lambda document: len(document.ids)) if row.ids else fitting[0]
            waiting.remove(chosen)
            row.ids += chosen.ids
            row.labels += chosen.labels
        n_empty = n_tokens - len(row.ids)
        return Encoded(row.ids + [tokenizer.pad_token_id] * n_empty, row.labels + [IGNORED] * n_empty)

    return fill
