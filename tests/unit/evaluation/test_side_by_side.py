import json
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest

from course_utils.blind_rating import TIE, BlindPair, draw_pairs, read_ratings
from course_utils.errors import ServiceError
from course_utils.evaluation.side_by_side import RatingPage, model_judge
from course_utils.files import PROJECT
from tests.http_servers import JsonHandler, serve


def rows(letter: str, n: int = 40) -> list[dict[str, str]]:
    question = {"db_id": "singers", "question": "Which <b>?", "query": "SELECT 0"}
    return [question | {"id": str(i), "predicted": f"SELECT '{letter if i else 'same'}'"} for i in range(n)]


ANSWERS = {"old": rows("a"), "new": rows("b")}
PAIR = BlindPair(ANSWERS["old"][1], ("short", "longer"), ("old", "new"))


def test_the_page_writes_each_rating_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    pairs, file = draw_pairs(ANSWERS, "Ana")[:4], tmp_path / "ratings.jsonl"
    page = RatingPage(pairs, "Ana", file)
    shown = page._repr_mimebundle_()["text/html"]
    assert "4 left" in shown
    assert "Which &lt;b&gt;?" in shown
    assert not any(name in shown for name in ANSWERS)
    for number in (0, 1, 2):
        page.buttons[number].click()
    winners = [rating["winner"] for rating in read_ratings(file, pairs)]
    assert winners == [pairs[0].models[0], pairs[1].models[1], TIE]
    again = RatingPage(pairs, "Ana", file)
    assert "1 left" in again._repr_mimebundle_()["text/html"]
    for _ in range(2):  # the second finds nothing to rate
        again.buttons[0].click()
    assert "All pairs are rated" in again._repr_mimebundle_()["text/html"]
    assert len(read_ratings(file, pairs)) == 4


def test_a_rating_that_cannot_be_written_is_asked_for_again(tmp_path: Path) -> None:
    pairs, file = draw_pairs(ANSWERS, "Ana")[:2], tmp_path / "gone" / "ratings.jsonl"
    page = RatingPage(pairs, "Ana", file)
    page.buttons[0].click()  # ipywidgets shows the error
    file.parent.mkdir()
    page.buttons[1].click()
    (rating,) = read_ratings(file, pairs)
    assert rating["id"] == pairs[0].row["id"], "what the page shows is what is rated"


class Judge(JsonHandler):
    """OpenAI's protocol: prefers the shorter answer, says so in many words, and fails on request."""

    def do_POST(self) -> None:
        body = self.read_json()
        texts = body["messages"][-1]["content"].split("\n\n")[1:]
        verdict = {
            "words": f"Answer {1 if len(texts[0]) < len(texts[1]) else 2}, of 10",
            "none": "Both are nice",
            "lazy": "1",
        }
        named = verdict.get(body["model"]) if self.headers["Authorization"] == "Bearer key" else None
        content = {"choices": [{"message": {"content": named}, "finish_reason": "stop"}]} if named else {"error": "no"}
        self.answer(content, 200 if named or body["model"] == "odd" else 404)


def test_a_model_behind_a_url_is_a_rater(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    with serve(Judge) as server:
        url = f"{server.url}/v1"
        assert [model_judge(url, "words")(pair) for pair in (PAIR, PAIR.swapped())] == ["1", "2"]
        assert [model_judge(f"{url}/", name)(PAIR) for name in ("none", "lazy")] == ["0", "0"]
        for model, says in {"unknown": "answers 404", "odd": "is the model server running"}.items():
            with pytest.raises(ServiceError, match=says):
                model_judge(url, model)(PAIR)
    with pytest.raises(ServiceError, match="is the model server running"):
        model_judge(url, "words")(PAIR)


def test_the_strengths_of_notebook_4_are_evalicas() -> None:
    """Without its constant, the notebook's regression is Bradley and Terry's; evalica 0.4.2 gave these numbers."""
    lot, ratings = Random(1), []
    for number in range(60):
        one, other = lot.sample(["base", "tuned", "rival"], 2)
        options = [one, one, other, TIE] if "base" in (one, other) and one != "base" else [one, other, other, TIE]
        ratings.append({"id": number, "models": [one, other], "winner": lot.choice(options)})
    cells = json.loads((PROJECT / "notebooks" / "04_evaluation.ipynb").read_text("utf-8"))["cells"]
    (source,) = ("".join(cell["source"]) for cell in cells if cell["id"] == "fit-strengths")
    names = {"np": np, "pd": pd, "rated": ratings, "blind": {}}  # without a win given to each
    exec(source.replace(' | {"shown first": 1.0}', ""), names)
    assert names["fit"].params.to_dict() == pytest.approx({"tuned": 0.5926890195, "rival": 0.6550259078}, abs=1e-6)
