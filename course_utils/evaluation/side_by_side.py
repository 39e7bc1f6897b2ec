"""Let people, on a page in a notebook, or a model rate two answers side by side."""

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from course_utils.blind_rating import CHOICES, BlindPair, Rule, add_rating, pairs_left
from course_utils.models import ask_server

# In JupyterLab a digit key turns a cell into a heading, unless the event is stopped; ipywidgets has no key events.
_KEYS = """<img src="data:," alt="" style="display:none" onerror="
    this.closest('.course-rating').addEventListener('keydown', event => {
        const button = this.closest('.course-rating').querySelectorAll('button')[['1', '2', '0'].indexOf(event.key)];
        if (!button) return;
        event.stopPropagation();
        button.click();
    })">"""


class RatingPage:
    """A page with two answers and three buttons, also for the keys 1, 2 and 0; it writes each rating at once."""

    def __init__(self, pairs: Sequence[BlindPair], rater: str, file: Path) -> None:
        import ipywidgets

        self.rater, self.file, self._pairs = rater, file, pairs_left(pairs, rater, file)
        self._shown = ipywidgets.HTML()
        self.buttons = [ipywidgets.Button(description=f"{key}: {words}") for key, words in CHOICES.items()]
        for key, button in zip(CHOICES, self.buttons, strict=True):
            button.on_click(lambda _, key=key: self._rate(key))
        self._box = ipywidgets.VBox([self._shown, ipywidgets.HBox(self.buttons), ipywidgets.HTML(_KEYS)])
        self._box.add_class("course-rating")
        self._draw()

    def _rate(self, choice: str) -> None:
        if self._pairs:
            add_rating(self.file, self.rater, self._pairs[0], choice)
            self._pairs.pop(0)  # after writing, so that a pair whose rating cannot be written stays on the page
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


def model_judge(url: str, model: str) -> Rule:
    """A rating rule that asks a model behind an OpenAI-compatible URL twice, the second time with the answers swapped.

    A choice that depends on the order is a tie, and so is a reply without a choice. ``models.ask_server`` documents the
    API key and the errors that the rule raises.

    Source: Zheng et al. (2023), Judging LLM-as-a-Judge with MT-Bench and Chatbot Arena.
    """
    instruction = "Which SQL query answers the question better? Reply with 1 or 2, or with 0 if they are alike."

    def to_messages(pair: BlindPair) -> list[dict[str, str]]:
        texts = f"Question: {pair.row['question']}\n\n1: {pair.texts[0]}\n\n2: {pair.texts[1]}"
        return [{"role": "system", "content": instruction}, {"role": "user", "content": texts}]

    def choose(pair: BlindPair) -> str:
        prompts = [to_messages(pair), to_messages(pair.swapped())]
        replies = ask_server(url, prompts, model=model, max_new_tokens=8)
        first, second = (re.search(r"\b[012]\b", reply.text) for reply in replies)
        return first[0] if first and second and {first[0], second[0]} == {"1", "2"} else "0"

    return choose
