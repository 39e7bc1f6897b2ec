"""Rate two answers side by side and blind: who rates sees no names, and the sides are drawn by lot.

People, rules and models add to the same file of JSON lines. What their ratings say together is in notebook 4.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Any

from course_utils.artifacts import Row, read_jsonl
from course_utils.errors import ServiceError, require

CHOICES = {"1": "the first is better", "2": "the second is better", "0": "both alike"}
TIE = "tie"
# Digits make headings of cells in JupyterLab unless the widget stops them; ipywidgets has no property for keys.
_KEYS = """<img src="data:," alt="" style="display:none" onerror="
    this.closest('.course-rating').addEventListener('keydown', event => {
        const button = this.closest('.course-rating').querySelectorAll('button')[['1', '2', '0'].indexOf(event.key)];
        if (!button) return;
        event.stopPropagation();
        button.click();
    })">"""


@dataclass(frozen=True)
class BlindPair:
    """Two answers to one question, in the order in which they are shown."""

    row: Row
    """The question's, with its gold query; of the models it says nothing."""
    texts: tuple[str, str]
    models: tuple[str, str] = field(repr=False)
    """Whose they are: for the file, not for the rater."""

    def swapped(self) -> "BlindPair":
        """The same answers, the other one first."""
        return BlindPair(self.row, self.texts[::-1], self.models[::-1])


Rule = Callable[[BlindPair], str]
"""Gives one of ``CHOICES``."""


def draw_pairs(answers: Mapping[str, Sequence[Row]], rater: str) -> list[BlindPair]:
    """Every two different answers to a question, in an order and on sides that each rater has for their own.

    Args:
        answers: Predictions by the name of their model; all about the same rows in the same order.
        rater: Whose name seeds the lot, so that it falls the same when they go on later.
    """
    lot = Random(rater)
    pairs = []
    for rows in zip(*answers.values(), strict=True):
        question = {name: rows[0].get(name) for name in ("id", "db_id", "question", "query")}
        replies = zip(answers, (row["predicted"] for row in rows), strict=True)
        for two in combinations(replies, 2):
            (one, text), (other, other_text) = lot.sample(two, 2)
            if text != other_text:
                pairs.append(BlindPair(question, (text, other_text), (one, other)))
    lot.shuffle(pairs)
    return pairs


def rate_pairs(pairs: Sequence[BlindPair], rater: str, file: Path, rule: Rule) -> None:
    """Let a rule rate what the rater has not rated yet."""
    for pair in _left(pairs, rater, file):
        _add(file, rater, pair, rule(pair))


def read_ratings(file: Path, pairs: Iterable[BlindPair]) -> list[Row]:
    """The ratings in a file that are about these answers, and not about those of a model that has changed since.

    Each has ``rater``, ``id``, ``models`` and ``texts`` in the order in which they were shown, and the ``winner``: one
    of the models, or ``TIE``.
    """
    wanted = {_key(pair.row["id"], pair.models, pair.texts) for pair in pairs}
    rated = read_jsonl(file) if file.exists() else []
    return [rating for rating in rated if _key(rating["id"], rating["models"], rating["texts"]) in wanted]


def _key(row_id: str, models: Sequence[str], texts: Sequence[str]) -> tuple[str, frozenset[tuple[str, str]]]:
    return row_id, frozenset(zip(models, texts, strict=True))


def _left(pairs: Sequence[BlindPair], rater: str, file: Path) -> list[BlindPair]:
    rated = [rating for rating in read_ratings(file, pairs) if rating["rater"] == rater]
    done = {_key(rating["id"], rating["models"], rating["texts"]) for rating in rated}
    return [pair for pair in pairs if _key(pair.row["id"], pair.models, pair.texts) not in done]


def _add(file: Path, rater: str, pair: BlindPair, choice: str) -> None:
    winner = {"1": pair.models[0], "2": pair.models[1], "0": TIE}[choice]
    rating = {"rater": rater, "id": pair.row["id"], "models": pair.models, "texts": pair.texts, "winner": winner}
    with file.open("a", encoding="utf-8", newline="\n") as ratings:
        ratings.write(json.dumps(rating, ensure_ascii=False) + "\n")


class RatingPage:
    """Two answers and three buttons, which the keys 1, 2 and 0 press too; each rating is in the file at once."""

    def __init__(self, pairs: Sequence[BlindPair], rater: str, file: Path) -> None:
        import ipywidgets

        self.rater, self.file, self._pairs = rater, file, _left(pairs, rater, file)
        self._shown = ipywidgets.HTML()
        self.buttons = [ipywidgets.Button(description=f"{key}: {words}") for key, words in CHOICES.items()]
        for key, button in zip(CHOICES, self.buttons, strict=True):
            button.on_click(lambda _, key=key: self._rate(key))
        self._box = ipywidgets.VBox([self._shown, ipywidgets.HBox(self.buttons), ipywidgets.HTML(_KEYS)])
        self._box.add_class("course-rating")
        self._draw()

    def _rate(self, choice: str) -> None:
        if self._pairs:
            _add(self.file, self.rater, self._pairs.pop(0), choice)
            self._draw()

    def _draw(self) -> None:
        if not self._pairs:
            self._shown.value = "<p>All pairs are rated. Thank you.</p>"
            return
        pair = self._pairs[0]
        texts = "".join(f"<li><code>{escape(text)}</code></li>" for text in pair.texts)
        where = f"{pair.row['db_id']}: {pair.row['question']}"
        self._shown.value = f"<p>{len(self._pairs)} left. {escape(where)}</p><ol>{texts}</ol>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return {**self._box._repr_mimebundle_(), "text/html": self._shown.value}


def both_ways(rule: Rule) -> Rule:
    """Ask a rule twice, with the answers swapped; what depends on their order counts as a tie.

    Source: Zheng et al. (2023), Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena.
    """

    def choose(pair: BlindPair) -> str:
        choice, other = rule(pair), rule(pair.swapped())
        return choice if (choice, other) in (("1", "2"), ("2", "1")) else "0"

    return choose


def model_judge(url: str, model: str, key: str = "") -> Rule:
    """A model behind any OpenAI-compatible URL as rater; a reply without a choice is a tie.

    Args:
        url: Up to and with ``/v1``.
        model: Its name there.
        key: Goes into the ``Authorization`` header, if there is one.

    Raises:
        ServiceError: By the rule: the server does not answer, or not in OpenAI's form.
    """
    require("serve", "httpx")
    import httpx

    def choose(pair: BlindPair) -> str:
        instruction = "Which SQL query answers the question better? Reply with 1 or 2, or with 0 if they are alike."
        texts = f"Question: {pair.row['question']}\n\n1: {pair.texts[0]}\n\n2: {pair.texts[1]}"
        messages = [{"role": "system", "content": instruction}, {"role": "user", "content": texts}]
        body = {"model": model, "messages": messages, "temperature": 0, "max_tokens": 8}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            response = httpx.post(f"{url.rstrip('/')}/chat/completions", json=body, headers=headers, timeout=60)
            reply = str(response.raise_for_status().json()["choices"][0]["message"]["content"])
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise ServiceError(f"{url}: {error!r}; is it the address of an OpenAI-compatible server?") from error
        found = re.search(r"\b[012]\b", reply)
        return found[0] if found else "0"

    return choose
