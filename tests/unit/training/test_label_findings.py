"""Labels outside of the reply, and replies whose end has none, are named."""

import re
from dataclasses import replace

import pytest

from course_utils.files import PROJECT
from course_utils.models import load_tokenizer
from course_utils.tasks import text_to_sql
from course_utils.training import TokenizedRows, label_findings, tokenize_rows

TOKENIZER = load_tokenizer(PROJECT / "data" / "tiny_base")
ROWS = [{"id": str(n), "db_id": "s", "question": f"Is it {n}?", "query": f"SELECT {n}"} for n in range(4)]


@pytest.fixture
def rows() -> TokenizedRows:
    return tokenize_rows(TOKENIZER, ROWS, text_to_sql({"s": "table t: a integer"}), 512)


def test_our_own_labels_are_right(rows: TokenizedRows) -> None:
    assert label_findings(TOKENIZER, rows) == []


@pytest.mark.parametrize("between", ["", "\n"], ids=["Phi-4", "Phi-3.5"])
def test_a_reply_may_end_in_two_marks(between: str) -> None:
    phi = load_tokenizer(PROJECT / "data" / "tiny_base")
    phi.add_special_tokens({"eos_token": "<|endoftext|>"})
    turn = "<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>"
    phi.chat_template = (
        f"{{% for m in messages %}}{{{{ '{turn}{between}' }}}}{{% endfor %}}"
        "{{ '<|im_start|>assistant\n' if add_generation_prompt else eos_token }}"
    )
    rows = tokenize_rows(phi, ROWS, text_to_sql({"s": "table t: a integer"}), 512)
    assert rows.examples[0].completion_mask[-2:] == [1, 1]
    assert label_findings(phi, rows) == []
    graded = [replace(row, completion_mask=[1] * len(row.input_ids)) for row in rows.examples]
    assert [found.check for found in label_findings(phi, replace(rows, examples=graded))] == ["loss-on-prompt"]


@pytest.mark.parametrize("share", [1.0, 0.6])
def test_loss_on_the_prompt_is_named(rows: TokenizedRows, share: float) -> None:
    graded = [
        replace(row, completion_mask=[int(i >= (1 - share) * len(row.input_ids)) for i in range(len(row.input_ids))])
        for row in rows.examples
    ]
    (found,) = label_findings(TOKENIZER, replace(rows, examples=graded))
    assert found.check == "loss-on-prompt"
    assert found.reason.startswith("4 of 4 rows")
    assert int(re.search(r"(\d+)% of all", found.reason)[1]) == pytest.approx(100 * share, abs=3)


def test_an_end_without_a_label_is_named(rows: TokenizedRows) -> None:
    cut = replace(rows.examples[0], completion_mask=[*rows.examples[0].completion_mask[:-1], 0])
    (found,) = label_findings(TOKENIZER, replace(rows, examples=[cut, *rows.examples[1:]]))
    assert (found.check, found.reason) == ("no-end-label", "1 of 4 rows do not end in a label on '<|im_end|>'")
