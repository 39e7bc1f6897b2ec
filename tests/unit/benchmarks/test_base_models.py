import math
from copy import deepcopy
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from benchmarks import base_models
from benchmarks.base_models import measure_base
from course_utils.models import load_model, load_tokenizer
from course_utils.prompts import to_messages

SCHEMAS = {
    "shop": "table shop: shop_id integer, name text, city text",
    "zoo": "table keeper: keeper_id integer, name text\ntable animal: animal_id integer, keeper_id integer, kind text",
}
ROWS = [
    {"db_id": "shop", "question": "How many shops are there?", "query": "SELECT COUNT(*) FROM shop"},
    {"db_id": "shop", "question": "Shops in Zürich?", "query": " SELECT name FROM shop WHERE city = 'Zürich'\n"},
    {"db_id": "zoo", "question": "List the kinds.", "query": "SELECT DISTINCT kind FROM animal"},
    {
        "db_id": "zoo",
        "question": "How many animals does each keeper have, the most first?",
        "query": "SELECT T1.name, COUNT(*) FROM keeper AS T1 JOIN animal AS T2 ON T1.keeper_id = T2.keeper_id "
        "GROUP BY T1.keeper_id ORDER BY COUNT(*) DESC",
    },
    {"db_id": "zoo", "question": "Who?", "query": "SELECT 'unanswerable'"},
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer("data/tiny_base")


@pytest.fixture(scope="module")
def model() -> Any:
    return load_model("data/tiny_base")


def one_by_one(model: Any, tokenizer: Any) -> tuple[float, int, int]:
    """Nats, query tokens and prompt tokens: every logit, straight from the template."""
    import torch

    nats, n_query, n_prompt = 0.0, 0, 0
    for row in ROWS:
        messages = to_messages(SCHEMAS[row["db_id"]], row["question"])
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        prompt = tokenizer(text, add_special_tokens=False).input_ids
        query = tokenizer(row["query"].strip(), add_special_tokens=False).input_ids
        with torch.no_grad():
            logits = model(torch.tensor([prompt + query])).logits[0]
        scores = torch.log_softmax(logits.double(), dim=-1)
        nats -= sum(float(scores[len(prompt) + i - 1, token]) for i, token in enumerate(query))
        n_query, n_prompt = n_query + len(query), n_prompt + len(prompt)
    return nats, n_query, n_prompt


def test_the_query_is_measured_behind_its_prompt(model: Any, tokenizer: Any) -> None:
    measured = measure_base(model, tokenizer, ROWS, SCHEMAS, "rows")
    nats, n_query, n_prompt = one_by_one(model, tokenizer)
    assert measured["nats"] == pytest.approx(nats, rel=1e-4)
    assert measured["perplexity"] == pytest.approx(math.exp(nats / n_query), rel=1e-4)
    n_bytes = 1 + sum(len(row["query"].strip()) for row in ROWS)  # ü takes two
    assert measured["bits_per_byte"] == pytest.approx(nats / math.log(2) / n_bytes, rel=1e-3)
    assert (measured["n_query_tokens"], measured["n_prompt_tokens"], measured["n_rows"]) == (
        n_query,
        n_prompt,
        len(ROWS),
    )
    assert measured["n_query_bytes"] == n_bytes
    assert measured["seconds"] > 0


def test_a_model_that_knows_nothing_has_the_perplexity_of_its_vocabulary(model: Any, tokenizer: Any) -> None:
    """With its embeddings, and so its tied head, at zero, every token is as likely as any other."""
    import torch

    blank = deepcopy(model)
    with torch.no_grad():
        blank.get_input_embeddings().weight.zero_()
    measured = measure_base(blank, tokenizer, ROWS, SCHEMAS, "rows")
    assert measured["perplexity"] == pytest.approx(model.config.vocab_size, rel=1e-5)


def test_without_models_the_results_of_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base_models, "measure", lambda named, n_rows: pytest.fail(f"measures {named}"))
    app = typer.Typer()
    app.command()(base_models.main)
    assert CliRunner().invoke(app).exit_code == 2
