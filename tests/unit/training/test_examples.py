"""Rows to token ids: what is graded, what is left out, what is refused."""

import pytest

from course_utils.errors import DataError
from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.tasks import text_to_sql
from course_utils.training.examples import tokenize_rows

SCHEMAS = {"shop": "table item: item_id integer, name text, price real"}
ROWS = [
    {"id": "a", "db_id": "shop", "question": "How many items are there?", "query": "SELECT COUNT(*) FROM item"},
    {"id": "b", "db_id": "shop", "question": "Name the items. " * 40, "query": "SELECT name FROM item"},
]


@pytest.fixture(scope="module")
def tokenizer() -> object:
    return load_tokenizer(PROJECT / "data" / "tiny_base")


def test_only_the_query_and_the_end_token_are_graded(tokenizer: object) -> None:
    example = tokenize_rows(tokenizer, ROWS[:1], text_to_sql(SCHEMAS), 512).examples[0]
    graded = [i for i, learned in zip(example.input_ids, example.completion_mask, strict=True) if learned]
    assert tokenizer.decode(graded) == "SELECT COUNT(*) FROM item<|im_end|>"


def test_long_rows_are_left_out_and_named(tokenizer: object) -> None:
    tokenized = tokenize_rows(tokenizer, ROWS, text_to_sql(SCHEMAS), 128)
    assert tokenized.too_long == ["b"]
    assert len(tokenized.examples) + len(tokenized.too_long) == len(ROWS)


def test_counts_agree_with_the_dataset(tokenizer: object) -> None:
    tokenized = tokenize_rows(tokenizer, ROWS, text_to_sql(SCHEMAS), 1024)
    dataset = tokenized.to_dataset()
    assert tokenized.n_tokens == sum(dataset["length"])
    assert tokenized.n_supervised_tokens == sum(map(sum, dataset["completion_mask"]))


@pytest.mark.parametrize(("limit", "kept"), [(None, "abcdefg"), (9, "abcdefg"), (7, "abcdefg"), (6, "aceg"), (2, "ae")])
def test_rows_can_be_spread_over_all_there_are(tokenizer: object, limit: int | None, kept: str) -> None:
    rows = [ROWS[0] | {"question": letter} for letter in "abcdefg"]
    spread = tokenize_rows(tokenizer, rows, text_to_sql(SCHEMAS), 512).spread(limit).examples
    wanted = tokenize_rows(tokenizer, [row for row in rows if row["question"] in kept], text_to_sql(SCHEMAS), 512)
    assert spread == wanted.examples


def test_nothing_to_learn_is_refused(tokenizer: object) -> None:
    with pytest.raises(DataError, match="2 too long; raise max_length"):
        tokenize_rows(tokenizer, ROWS, text_to_sql(SCHEMAS), 8)
    with pytest.raises(DataError, match="0 rows within max_length=8, 0 too long; add rows with answers"):
        tokenize_rows(tokenizer, [], text_to_sql(SCHEMAS), 8)


def test_an_answer_that_would_end_its_turn_early_is_refused(tokenizer: object) -> None:
    hidden = ROWS[0] | {"id": "c", "query": "SELECT name FROM item WHERE name = '<|im_end|>'"}
    with pytest.raises(DataError, match=r"row 'c': the answer holds '<\|im_end\|>', .*take such rows out"):
        tokenize_rows(tokenizer, [*ROWS, hidden], text_to_sql(SCHEMAS), 512)
