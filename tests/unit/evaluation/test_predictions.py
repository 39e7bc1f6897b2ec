import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from course_utils.errors import DataError
from course_utils.evaluation.predictions import make_prompts, predict, predict_file, read_predictions
from course_utils.models import Reply, ask_model
from course_utils.models.generation import Engine
from course_utils.profiles import get_profile
from course_utils.prompts import Prompt
from course_utils.tasks import text_to_sql

GOOD = {"id": "1", "db_id": "shop", "query": "SELECT 1", "predicted": ""}
SCHEMAS = {"shop": "table item: id integer, name text", "zoo": "table animal: id integer, name text, weight real"}


def test_every_bad_line_is_listed_with_its_remedy(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    lines = [
        json.dumps(GOOD),
        "{not json",
        "[1]",
        json.dumps({"id": "2", "db_id": "shop"}),
        json.dumps(GOOD | {"id": "3", "predicted": None}),
        json.dumps(GOOD | {"id": "4", "query": " "}),
        json.dumps(GOOD),
        json.dumps(GOOD | {"id": 1}),
        '{"a": ' + "[" * 100_000,
    ]
    path.write_text("\n".join(lines))
    with pytest.raises(DataError) as caught:
        read_predictions(path)
    title, *messages = str(caught.value).splitlines()
    assert title == f"{path}: 8 of 9 rows are wrong:"
    expected = {
        2: "Expecting property name",
        3: "a list instead of an object",
        4: '"query", "predicted" missing or no text',
        5: '"predicted" missing or no text',
        6: '"query" missing or no text; only predicted may be empty',
        7: "\"id\" '1' is already on line 1",
        8: "\"id\" '1' is already on line 1",
        9: "maximum recursion depth exceeded",
    }
    assert len(messages) == len(expected)
    for (number, text), message in zip(expected.items(), messages, strict=True):
        assert message.startswith(f"{path}:{number}: ")
        assert text in message
        assert message.endswith("one JSON object a line, with id, db_id, query, predicted")


@pytest.mark.parametrize(
    ("content", "message"), [(b"", "empty"), (b"\n \r\n", "empty"), (b"\xff\xfe{", "in UTF-8"), (None, "No such file")]
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "mine.jsonl"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_predictions(path)


def test_windows_files_and_odd_characters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.jsonl"
    text = "SELECT 'a\u2028b\u0085é'"
    rows = [GOOD | {"predicted": text}, GOOD | {"id": "2"}]
    path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows))
    found = read_predictions(path)
    assert [row["predicted"] for row in found] == [text, ""]
    assert found[1]["place"] == f"{path}:2"


@pytest.fixture(scope="module")
def tiny_model() -> tuple[Any, Any]:
    """A random Llama of 40,000 parameters with a word tokenizer."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = [
        "<pad>",
        "<end>",
        "<unk>",
        *"table item : animal id integer name text weight real , how many ? SELECT".split(),
    ]
    plain = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, pad_token="<pad>", eos_token="<end>", unk_token="<unk>", padding_side="left"
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} <end> {% endfor %}"
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        eos_token_id=1, pad_token_id=0, bos_token_id=None,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval(), tokenizer


def test_predict_answers_every_row_in_order_whatever_the_batches(tiny_model: tuple[Any, Any]) -> None:
    rows = [
        {"id": str(n), "db_id": db, "question": "how many ? " * n, "query": "SELECT 1", "seen": True, "source": "x"}
        for n, db in enumerate(["zoo", "shop", "shop", "zoo", "shop"], 1)
    ]
    profile = replace(get_profile("smoke"), max_new_tokens=6)
    batches = [replace(profile, generation_batch_size=size) for size in (1, 2, 5)]
    alone, pairs, together = (predict(*tiny_model, rows, text_to_sql(SCHEMAS), batch) for batch in batches)
    assert [row["id"] for row in together] == ["1", "2", "3", "4", "5"]
    assert set(together[0]) == {*rows[0], "predicted", "seconds", "stopped"}
    assert (
        [row["predicted"] for row in alone]
        == [row["predicted"] for row in pairs]
        == [row["predicted"] for row in together]
    )
    assert len({row["seconds"] for row in together}) == 1
    assert all(row["seconds"] > 0 for row in alone)


ROWS = [{"id": str(n), "db_id": "zoo", "question": f"how many {n} ?", "query": f"SELECT {n}"} for n in range(7)]
TRAIN = [
    {"db_id": "shop", "question": "Which item has the longest name?", "query": "SELECT 1"},
    {"db_id": "zoo", "question": "How heavy is the lightest animal?", "query": "SELECT 2"},
    {"db_id": "zoo", "question": "How many animals have a name?", "query": "SELECT 3"},
]


def test_examples_are_the_training_rows_most_like_the_question_the_nearest_last() -> None:
    row = {"db_id": "shop", "question": "how many animals?"}
    ((*_, last, _),) = make_prompts([row], text_to_sql(SCHEMAS), train=TRAIN, n_examples=1)
    assert last == {"role": "assistant", "content": "SELECT 3"}
    (document,) = make_prompts([row], text_to_sql(SCHEMAS), plain=True, train=TRAIN, n_examples=2)
    assert isinstance(document, str)
    assert document.index("SELECT 2") < document.index("SELECT 3") < document.index("how many animals?")
    assert "SELECT 1" not in document


def test_nothing_asked_gives_no_reply(tiny_model: tuple[Any, Any]) -> None:
    assert predict(*tiny_model, [], text_to_sql(SCHEMAS), get_profile("smoke")) == []


Ask = Callable[[Sequence[Prompt]], list[Reply]]


class Echo:
    """Answers with the end of the prompt, remembers the sizes of batches, and may break down at a prompt."""

    def __init__(self, breaks_at: str = "?!") -> None:
        self.breaks_at = breaks_at
        self.asked: list[int] = []

    def __call__(self, prompts: Sequence[Prompt]) -> list[Reply]:
        if any(self.breaks_at in prompt for prompt in prompts):
            raise KeyboardInterrupt
        self.asked.append(len(prompts))
        return [Reply(str(prompt)[-60:], 0.1, True) for prompt in prompts]


def write(path: Path, ask: Ask, rows: list[dict[str, Any]] = ROWS, made_by: str = "model", **options: Any) -> int:
    task = text_to_sql(SCHEMAS)
    prompts = make_prompts(rows, task, plain=True, **options)
    return predict_file(path, rows, prompts, task, Engine(ask, made_by, 2))


def test_a_run_cut_off_resumes_to_the_same_file_at_a_whole_batch(tmp_path: Path) -> None:
    whole, cut, engine = tmp_path / "a" / "whole.jsonl", tmp_path / "cut.jsonl", Echo()
    assert write(whole, engine) == 0
    assert engine.asked == [2, 2, 2, 1]
    with pytest.raises(KeyboardInterrupt):
        write(cut, Echo("how many 4"))
    lines = whole.read_bytes().splitlines(keepends=True)
    assert cut.read_bytes() == b"".join(lines[:4])
    for n_bytes in (0, 1, len(lines[0]), sum(map(len, lines[:3])) + 9, sum(map(len, lines[:4]))):
        cut.write_bytes(whole.read_bytes()[:n_bytes])
        write(cut, engine)
        assert cut.read_bytes() == whole.read_bytes()
    assert [row["id"] for row in read_predictions(cut)] == [row["id"] for row in ROWS]


def test_a_whole_file_is_not_asked_again(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", Echo())
    before, engine = (tmp_path / "x.jsonl").read_bytes(), Echo()
    assert write(tmp_path / "x.jsonl", engine) == 7
    assert engine.asked == []
    assert (tmp_path / "x.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"made_by": "another"}, 1),
        ({"train": TRAIN, "n_examples": 1}, 1),
        ({"rows": [ROWS[0], ROWS[1] | {"query": "SELECT 0"}, *ROWS[2:]]}, 2),
        ({"rows": ROWS[:5]}, 6),
    ],
)
def test_other_predictions_are_not_overwritten(tmp_path: Path, change: dict[str, Any], line: int) -> None:
    path = tmp_path / "x.jsonl"
    write(path, Echo())
    before = path.read_bytes()
    with pytest.raises(DataError, match=rf"x\.jsonl:{line}: .*another row, prompt or model"):
        write(path, Echo(), **change)
    assert path.read_bytes() == before


def test_of_two_runs_at_once_one_stops_and_the_answers_of_the_other_stay(tmp_path: Path) -> None:
    path, runs = tmp_path / "x.jsonl", []

    def ask(prompts: Sequence[Prompt]) -> list[Reply]:
        runs.append(write(path, Echo()))  # begins and ends meanwhile
        return Echo()(prompts)

    with pytest.raises(DataError, match=r"x\.jsonl: another run writes to it"):
        write(path, ask)
    assert runs == [0]
    assert [row["id"] for row in read_predictions(path)] == [row["id"] for row in ROWS]


@pytest.mark.parametrize("content", ['[{"precious": "work of years"}]', '{"id": "9", "db', "PK\x03\x04"])
@pytest.mark.parametrize("n_lines", [0, 2, 7])
def test_a_file_of_something_else_that_ends_in_no_end_of_line_stays(tmp_path: Path, content: str, n_lines: int) -> None:
    path = tmp_path / "x.jsonl"
    write(path, Echo(), ROWS)
    before = b"".join(path.read_bytes().splitlines(keepends=True)[:n_lines]) + content.encode()
    path.write_bytes(before)
    with pytest.raises(DataError, match=rf"x\.jsonl:{n_lines + 1}: .*another row, prompt or model"):
        write(path, Echo())
    assert path.read_bytes() == before


def test_half_a_character_that_a_server_sent_is_kept(tmp_path: Path) -> None:
    reply, task = "SELECT '\\\ud83d é'", text_to_sql(SCHEMAS)
    engine = Engine(lambda prompts: [Reply(reply, 0.1, True) for _ in prompts], "server", 2)
    prompts = make_prompts(ROWS, task)
    predict_file(tmp_path / "x.jsonl", ROWS, prompts, task, engine)
    assert {row["predicted"] for row in read_predictions(tmp_path / "x.jsonl")} == {reply}
    assert predict_file(tmp_path / "x.jsonl", ROWS, prompts, task, engine) == 7


def test_the_file_holds_what_predict_answers(tiny_model: tuple[Any, Any], tmp_path: Path) -> None:
    profile, task = replace(get_profile("smoke"), max_new_tokens=6), text_to_sql(SCHEMAS)
    engine = Engine(lambda prompts: ask_model(*tiny_model, prompts, profile), "tiny", 3)
    predict_file(tmp_path / "x.jsonl", ROWS, make_prompts(ROWS, task), task, engine)
    found = [row["predicted"] for row in read_predictions(tmp_path / "x.jsonl")]
    assert found == [row["predicted"] for row in predict(*tiny_model, ROWS, task, profile)]
