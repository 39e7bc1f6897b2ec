import string
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from course_utils.artifacts import PROJECT
from course_utils.data.formats.record import Record
from course_utils.data.validation.lengths import SLACK, count_tokens, find_too_long
from course_utils.models import load_tokenizer
from course_utils.prompts import encode_example, to_messages

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SCHEMAS = {"shop": "table shop: shop_id integer, name text, city text", "zoo": "table animal: " + "name text, " * 30}


@pytest.fixture(scope="module")
def tokenizer() -> "PreTrainedTokenizerBase":
    return load_tokenizer(PROJECT / "data" / "tiny_base")


def make_records(n: int, seed: int) -> list[Record]:
    """Questions and queries of all lengths, with words that a tokenizer splits in unforeseen ways."""
    random = Random(seed)

    def text() -> str:
        letters = string.ascii_letters + string.digits + "  '(),.=*é中"
        return "".join(random.choices(letters, k=random.randrange(1, 400))).strip() or "a"

    return [
        Record(
            Path("train.jsonl"),
            i,
            {"db_id": random.choice(list(SCHEMAS)), "question": text(), "query": text()},
            split="train",
            number=i,
        )
        for i in range(1, n + 1)
    ]


def encoded_lengths(tokenizer: "PreTrainedTokenizerBase", record: Record) -> tuple[int, int]:
    fields = record.fields
    encoded = encode_example(tokenizer, to_messages(SCHEMAS[fields["db_id"]], fields["question"]), fields["query"])
    return len(encoded.input_ids) - sum(encoded.completion_mask), len(encoded.input_ids)


@pytest.mark.parametrize("max_length", [200, 300, 400])
def test_rows_are_found_too_long_exactly_where_encoding_them_says_so(
    tokenizer: "PreTrainedTokenizerBase", max_length: int
) -> None:
    records = make_records(150, seed=max_length)
    expected = {record.number: encoded_lengths(tokenizer, record) for record in records}
    findings = find_too_long(records, SCHEMAS, [tokenizer], max_length)
    assert {f.number for f in findings} == {number for number, (_, n) in expected.items() if n > max_length}
    assert {f.number for f in findings if f.severity == "error"} == {
        number for number, (n_prompt, _) in expected.items() if n_prompt >= max_length
    }
    assert len(findings) not in (0, len(records))


def test_sums_of_parts_stay_within_the_slack(tokenizer: "PreTrainedTokenizerBase") -> None:
    counted = count_tokens(make_records(300, seed=1), SCHEMAS, tokenizer, 30)
    assert len(counted) == 300
    for record, lengths in counted:
        for found, exact in zip(lengths, encoded_lengths(tokenizer, record), strict=True):
            assert abs(found - exact) <= SLACK // 2


def test_each_tokenizer_speaks_for_itself(tokenizer: "PreTrainedTokenizerBase") -> None:
    records = make_records(20, seed=2)
    twice = find_too_long(records, SCHEMAS, [tokenizer, tokenizer], 100)
    assert len(twice) == 2 * len(find_too_long(records, SCHEMAS, [tokenizer], 100))
    assert "tokens (tiny_base)" in twice[0].reason
