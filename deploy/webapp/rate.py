"""Rate: compare two models' answers blind, by the rules of notebook 4 and into the file that it reads."""

import os
from pathlib import Path

import streamlit as st

from course_utils.blind_rating import CHOICES, add_rating, draw_pairs, pairs_left
from course_utils.errors import DataError
from course_utils.evaluation.predictions import read_predictions
from deploy.webapp.gateway_client import ask_gateway, plain

_MAX_NAME = 100  # enforced here as well, because a script may ignore the browser's limit
_MAX_BYTES = 10_000_000  # as for feedback, because each invented name may rate all pairs


def show_rate() -> None:
    """Draw the page."""
    st.title("Rate answers blind")
    ask_gateway("GET", "/v1/models")  # a user who may not ask may not rate
    results = Path(os.environ["COURSE_APP_RESULTS"])
    found = {file.stem: file for file in sorted(results.glob("evaluation/predictions/*.jsonl"), reverse=True)}
    name, *sides = st.columns(3)
    help_text = "It determines the order and the sides of your answers."
    rater = name.text_input("Your name", max_chars=_MAX_NAME, help=help_text).strip()[:_MAX_NAME]
    models = [side.selectbox(f"Model {n}", found, index=min(n, len(found)) - 1) for n, side in enumerate(sides, 1)]
    if not rater or len(set(models)) < 2:
        st.info("Write your name and choose two models. Notebook 4 writes what they answered.")
        return
    pairs, file = (
        draw_pairs({model: read_predictions(found[model]) for model in models}, rater),
        results / "ratings.jsonl",
    )
    left = pairs_left(pairs, rater, file)
    st.progress(1 - len(left) / max(1, len(pairs)), f"{len(left)} left" if left else "All pairs are rated. Thank you.")
    if not left:
        return
    st.header(plain(f"{left[0].row['db_id']}: {left[0].row['question']}"))
    for number, (side, text) in enumerate(zip(st.columns(2), left[0].texts, strict=True), 1):
        side.subheader(f"Answer {number}")
        side.code(text, language="sql", wrap_lines=True)

    def rate(choice: str) -> None:
        try:
            if left[0] in pairs_left(pairs, rater, file):  # a key pressed twice rates once
                add_rating(file, rater, left[0], choice, _MAX_BYTES)
        except (DataError, OSError) as error:  # __main__ catches no errors of callbacks
            st.error(plain(str(error)), icon=":material/error:")

    for (key, words), side in zip(CHOICES.items(), st.columns(3), strict=True):
        side.button(words.capitalize(), on_click=rate, args=(key,), shortcut=key, width="stretch")
