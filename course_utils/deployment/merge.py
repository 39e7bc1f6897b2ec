"""Fold a LoRA adapter into the weights of its base model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from course_utils.models import load_model, load_tokenizer


def merge_adapter(base: str | Path, adapter: Path, output: Path) -> Path:
    """Save ``base`` with the adapter added to its weights, and the tokenizer beside it.

    Each adapted matrix becomes W + (alpha / r) B A (LoRA, arXiv 2106.09685, section 4). The sum is
    computed and stored in 16- or 32-bit floating point, never in 4 bits: the update is small, and
    rounding to 4 bits would change it.

    Args:
        base: Folder or Hub id of the model that the adapter was trained on.
        adapter: Folder that PEFT wrote.
        output: Folder to write; any application that reads Transformers models can load it.

    Raises:
        ModelError: A folder is missing, or holds no model or no adapter.
    """
    tokenizer = load_tokenizer(base)
    model = load_model(base, adapter=adapter)
    merged = model.merge_and_unload(safe_merge=True)  # safe_merge stops at NaN instead of saving it
    output.mkdir(parents=True, exist_ok=True)
    with _without_progress_bar():
        merged.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return output


@contextmanager
def _without_progress_bar() -> Iterator[None]:
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()
