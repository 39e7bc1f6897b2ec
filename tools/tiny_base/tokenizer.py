"""Train the tiny model's byte-level BPE tokenizer.

Digits stand alone and bytes are split with GPT-2's pattern: this is exactly the pre-tokenizer
that llama.cpp calls ``smollm``, so the GGUF file of a tuned model reads text the same way.

Merges are learned from lower-case text and then added in three cases: ``sal ary``, ``Sal ary``, ``SAL ARY``. So a name
splits in the same places in any case, and each word of a camel-case name begins a new token.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase
from typing import TYPE_CHECKING

from tools.tiny_base.documents import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT, START, END, PAD = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
VOCABULARY = 2048
MAX_LENGTH = 2048
CHAT_TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text("utf-8")
_UPPER = str.maketrans(ascii_lowercase, ascii_uppercase)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
SPACE = "Ġ"
"""How byte-level BPE writes a space."""


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> "PreTrainedTokenizerFast":
    """Train on plain text; the padding token is distinct from both end tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    split = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = split
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    learned.train_from_iterator((text.lower() for text in texts), trainer)

    tokens = dict.fromkeys([END_OF_TEXT, START, END, PAD, *alphabet])
    merges: dict[tuple[str, str], None] = {}
    for pair in json.loads(learned.to_str())["model"]["merges"]:
        cases = list(dict.fromkeys(_in_every_case(*pair)))
        if len(tokens) + len(cases) > vocabulary:
            break
        merges |= dict.fromkeys(cases)
        tokens |= dict.fromkeys(first + second for first, second in cases)
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, list(merges)))
    tokenizer.add_special_tokens([END_OF_TEXT, START, END, PAD])
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )


def _in_every_case(first: str, second: str) -> Iterator[tuple[str, str]]:
    """A merge in lower case, with a capital, and in capitals."""
    yield first, second
    yield (first, _capitalised(second)) if first == SPACE else (_capitalised(first), second)
    yield first.translate(_UPPER), second.translate(_UPPER)


def _capitalised(token: str) -> str:
    at = 1 if token.startswith(SPACE) else 0
    return token[:at] + token[at : at + 1].translate(_UPPER) + token[at + 1 :]


def lower_case_twins(tokenizer: "PreTrainedTokenizerFast") -> dict[int, int]:
    """Each token with capitals, by id, and the same token without."""
    ids = tokenizer.get_vocab()
    special = set(tokenizer.all_special_ids) | {ids[END_OF_TEXT], ids[START]}
    twins = {number: ids.get(token.translate(_LOWER), number) for token, number in ids.items()}
    return {number: twin for number, twin in twins.items() if twin != number and number not in special}


def as_text(tokenizer: "PreTrainedTokenizerFast", document: Document) -> str:
    """A document as the model reads it; chats through the template, both closed by the end of text."""
    text = document.text
    shown = text if isinstance(text, str) else tokenizer.apply_chat_template(text, tokenize=False)
    return f"{shown}{END_OF_TEXT}"


def learned_spans(text: str, document: Document) -> list[tuple[int, int]]:
    """Where the parts to learn stand in ``as_text``; the end of a chat's turn belongs to its reply."""
    if not document.learned:
        return [(0, len(text))]
    spans, at = [], 0
    for part in document.learned:
        start = text.index(part, at)
        at = start + len(part)
        at += len(END) if text.startswith(END, at) else 0
        spans.append((start, at))
    return spans
