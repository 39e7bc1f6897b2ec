import string
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

import pytest

from course_utils.data.formats.record import Record
from course_utils.data.tokens.display import CONTROL_TOKEN, FAMILIES, read_template
from course_utils.data.validation.rows import find_too_long
from course_utils.errors import ModelError
from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.prompts import count_tokens, encode_example, to_messages

SCHEMAS = {"shop": "table shop: shop_id integer, name text, city text", "zoo": "table animal: " + "name text, " * 30}


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(PROJECT / "data" / "tiny_base")


def make_records(n: int, seed: int) -> list[Record]:
    """Questions and queries of all lengths, with words that a tokenizer splits in unforeseen ways."""
    rng = Random(seed)

    def text() -> str:
        letters = string.ascii_letters + string.digits + "  '(),.=*é中\N{GRINNING FACE}\n"
        return "".join(rng.choices(letters, k=rng.randrange(1, 400))).strip() or "a"

    return [
        Record(
            Path("train.jsonl"),
            i,
            {"db_id": rng.choice(list(SCHEMAS)), "question": text(), "query": text()},
            split="train",
            number=i,
        )
        for i in range(1, n + 1)
    ]


def encoded_length(tokenizer: Any, row: dict[str, Any]) -> int:
    messages = to_messages(SCHEMAS[row["db_id"]], row["question"])
    return len(encode_example(tokenizer, messages, row["query"]).input_ids)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_count_is_that_of_encoded_rows_under_every_family_s_template(tokenizer: Any, family: str) -> None:
    made = deepcopy(tokenizer)
    made.chat_template = read_template(family)
    made.add_tokens(sorted(set(CONTROL_TOKEN.findall(made.chat_template))), special_tokens=True)
    known = FAMILIES[family]
    made.add_special_tokens({"eos_token": known["eos"]} | ({"bos_token": known["bos"]} if known["bos"] else {}))
    rows = [record.fields for record in make_records(60, seed=1)]
    rows.append({"db_id": "shop", "question": f"What is {made.eos_token}?", "query": f"SELECT '{made.eos_token}'"})
    assert count_tokens(made, rows, SCHEMAS) == [encoded_length(made, row) for row in rows]


@pytest.mark.parametrize("max_length", [200, 300, 400])
def test_rows_are_found_too_long_exactly_where_encoding_them_says_so(tokenizer: Any, max_length: int) -> None:
    records = make_records(150, seed=max_length)
    expected = {record.number: encoded_length(tokenizer, record.fields) for record in records}
    findings = find_too_long(records, SCHEMAS, tokenizer, max_length)
    assert {finding.number for finding in findings} == {number for number, n in expected.items() if n > max_length}
    assert len(findings) not in (0, len(records))
    assert {finding.severity for finding in findings} == {"warning"}
    assert find_too_long(records, SCHEMAS, tokenizer, max(expected.values())) == [], "the longest fits exactly"
    first = findings[0]
    n = expected[first.number]
    assert first.place == f"train.jsonl:{first.number}"
    assert first.reason == f"{n} tokens (tiny_base), {n - max_length} over the limit: training leaves the row out whole"
    assert first.fix.startswith("shorten the row or its database's schema")  # which is most of a prompt


def test_a_template_that_does_not_fit_is_refused(tokenizer: Any) -> None:
    made = deepcopy(tokenizer)
    made.eos_token = "<|endoftext|>"
    with pytest.raises(ModelError, match="would never stop"):
        count_tokens(made, [], SCHEMAS)
