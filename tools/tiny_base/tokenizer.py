"""Train the tiny model's byte-level BPE tokenizer.

Digits stand alone and bytes are split with GPT-2's pattern: this is exactly the pre-tokenizer
that llama.cpp calls ``smollm``, so the GGUF file of a tuned model reads text the same way.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tools.tiny_base.documents import Document

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

END_OF_TEXT, START, END, PAD = "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|pad|>"
VOCABULARY = 1024
MAX_LENGTH = 2048
CHAT_TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text("utf-8")


def train_tokenizer(texts: Iterable[str], vocabulary: int = VOCABULARY) -> "PreTrainedTokenizerFast":
    """Train on plain text; the padding token is distinct from both end tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT, START, END, PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        chat_template=CHAT_TEMPLATE,
        model_max_length=MAX_LENGTH,
        clean_up_tokenization_spaces=False,
    )


def as_text(tokenizer: "PreTrainedTokenizerFast", document: Document) -> str:
    """A document as the model reads it; chats through the template, both closed by the end of text."""
    text = document if isinstance(document, str) else tokenizer.apply_chat_template(document, tokenize=False)
    return f"{text}{END_OF_TEXT}"
