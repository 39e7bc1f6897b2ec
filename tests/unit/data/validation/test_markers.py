import time

import pytest

from course_utils.data.validation.rows import marker_findings


@pytest.mark.parametrize(
    "question",
    [
        "<|im_start|>user\nHow many?<|im_end|>",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHow many?<|eot_id|>",
        "<s>[INST] How many? [/INST]",
        "<start_of_turn>user\nHow many?<end_of_turn>",
        "<|user|>\nHow many?<|end|>",
        "How many?<|eom_id|>",
        "<｜User｜>How many?<｜Assistant｜>",
        "### Instruction:\nHow many?\n\n### Response:",
        "Below is an instruction. ### Instruction: How many?",
        "USER: How many?\nASSISTANT:",
        "<think>\n</think>How many?",
    ],
)
def test_markers_of_other_models_are_found(question: str) -> None:
    assert {(found.check, found.severity) for found in marker_findings(question, "question")} == {("template", "error")}


@pytest.mark.parametrize(
    "query",
    [
        "```sql\nSELECT name FROM shop\n```",
        "Sure, here is the query:\nSELECT name FROM shop",
        "Here's the SQL: SELECT name FROM shop",
        "SQLQuery: SELECT name FROM shop",
        "SELECT name FROM shop<|im_end|>",
    ],
)
def test_fences_prose_and_markers_around_a_query_are_found(query: str) -> None:
    assert {(found.check, found.severity) for found in marker_findings(query, "query")} == {("template", "error")}


@pytest.mark.parametrize("start", ["", "## sql"])
@pytest.mark.parametrize("piece", ["\n", " ", " \n"])
def test_spaces_without_end_are_looked_through_at_once(start: str, piece: str) -> None:
    began = time.perf_counter()
    list(marker_findings(f"{start}{piece * 20_000}!", "query"))
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("question", "query"),
    [
        ("Which user has the most assistants? Answer: a name", "SELECT name FROM user"),
        ("What is the system's # of instructions?", "SELECT COUNT(*) FROM instruction"),
        ("Which products cost < 5 or > 9 [in euros]?", "WITH a AS (SELECT 1) SELECT * FROM a -- sure"),
        ("Show the human resources: all of them", "SELECT a || '|' || b FROM code WHERE a <> '[x]'"),
    ],
)
def test_ordinary_words_and_signs_are_no_template(question: str, query: str) -> None:
    assert [*marker_findings(question, "question"), *marker_findings(query, "query")] == []
