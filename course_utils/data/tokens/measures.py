"""How many tokens rows are, and which ones are too many for training."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from course_utils.artifacts import Row
from course_utils.data.formats.record import Record
from course_utils.finding import Finding
from course_utils.prompts import encode_example, render_chat, to_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH = 1_000  # texts that are tokenized at once; what a tokenizer returns takes some kilobytes a text


def count_tokens(tokenizer: "PreTrainedTokenizerBase", rows: Iterable[Row], schemas: Mapping[str, str]) -> list[int]:
    """Tokens of each row, prompt and completion together, as many as ``prompts.encode_example`` makes.

    Raises:
        ModelError: The tokenizer's chat template does not fit (``prompts.encode_example``).
    """
    encode_example(tokenizer, to_messages("", "a"), "a")  # raises where the template does not fit
    # Nothing merges across a special token. So the text from each one to the next is counted by itself, and equal
    # ones once: to encode whole rows would be to read a schema again for each question about it.
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    boundary = re.compile(f"(?={'|'.join(map(re.escape, special))})")
    numbers: dict[str, int] = {}
    parts = []
    for row in rows:
        reply = {"role": "assistant", "content": row["query"].strip()}
        messages = [*to_messages(schemas[row["db_id"]], row["question"]), reply]
        text = render_chat(tokenizer, messages, add_generation_prompt=False)
        # What stands behind the last end token is not trained on.
        text = text[: text.rindex(tokenizer.eos_token) + len(tokenizer.eos_token)]
        parts.append([numbers.setdefault(part, len(numbers)) for part in boundary.split(text)])
    texts, lengths = [*numbers], list[int]()
    for start in range(0, len(texts), _BATCH):
        # Without verbose=False it warns of the very lengths that we are here to report.
        encoded = tokenizer(texts[start : start + _BATCH], add_special_tokens=False, verbose=False)
        lengths += map(len, encoded["input_ids"])
    return [sum(lengths[number] for number in of_row) for of_row in parts]


def find_too_long(
    records: Sequence[Record], schemas: Mapping[str, str], tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> list[Finding]:
    """Rows of more tokens, prompt and completion together, than ``max_length``: training leaves them out whole.

    Cutting them instead would take the end: the query, and the token that teaches a model to stop.
    """
    firsts = {record.fields["db_id"]: record.fields for record in reversed(records)}
    bases = dict(zip(firsts, count_tokens(tokenizer, firsts.values(), schemas), strict=True))
    # No token is shorter than a byte. A row whose bytes, put behind another row about the same database, stay
    # within the limit need not be counted: of 100,000 rows that saves a third of the validation's time.
    suspects = [record for record in records if bases[record.fields["db_id"]] + _n_bytes(record) > max_length]
    lengths = count_tokens(tokenizer, [record.fields for record in suspects], schemas)
    name, found = Path(tokenizer.name_or_path).name, []
    for record, n in zip(suspects, lengths, strict=True):
        if n > max_length:
            reason = f"{n:,} tokens ({name}), {n - max_length:,} over the limit: training leaves the row out whole"
            fix = "shorten the row, remove it, or raise max_length"
            found.append(record.mark(Finding("length", "warning", reason, fix)))
    return found


def _n_bytes(record: Record) -> int:
    return sum(len(record.fields[name].encode("utf-8", "surrogatepass")) for name in ("question", "query"))
