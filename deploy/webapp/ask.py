"""Ask: send a question; show the query, its rows and a chart; take feedback on the answer."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st

from deploy.webapp.gateway_client import ask_gateway, plain


def show_ask() -> None:
    """Draw the page."""
    st.title("Ask a question")
    database, _, question = question_form()
    if question:
        reply = ask_gateway("POST", "/v1/sql", {"database": database, "question": question})
        st.session_state["answer"] = reply.json() | {"cache": reply.headers.get("X-Cache", "off")}
    if answer := st.session_state.get("answer"):
        show_answer(answer, answer["question"])
        _take_feedback(answer)


def question_form() -> tuple[str, str, str]:
    """Draw the form; return the database, its schema as prompts show it, and the question, "" until it is sent."""
    database = st.selectbox("Database", [each["id"] for each in ask_gateway("GET", "/v1/databases").json()["data"]])
    schema = ask_gateway("GET", f"/v1/databases/{quote(str(database), safe='')}").json()["schema"]
    st.expander("Its tables").code(schema, language=None, wrap_lines=True)
    with st.form("question", border=False):
        question = st.text_input("Question", placeholder="How many are there?").strip()
        return database, schema, question if st.form_submit_button("Ask", type="primary") else ""


def show_answer(answer: dict[str, Any], heading: str) -> None:
    """Draw a query, and its rows or the database's error."""
    st.header(plain(heading))
    frame = pd.DataFrame(answer["rows"], columns=number_repeated(answer["columns"]))
    if answer["error"]:
        st.warning(f"The database refuses the query: {plain(answer['error'])}")
    elif frame.shape == (1, 1):
        st.metric(plain(frame.columns[0]), plain(str(frame.iloc[0, 0])))
    else:
        if chart := choose_chart(frame):
            chart(frame, x=frame.columns[0], y=frame.columns[1])
        st.dataframe(frame, hide_index=True)
    st.code(answer["query"], language="sql", wrap_lines=True)
    with st.container(horizontal=True, vertical_alignment="center"):
        for check, passed in answer["checks"].items():
            icon = ":material/check:" if passed else ":material/close:"
            st.badge(check.replace("_", " "), icon=icon, color="green" if passed else "red")
        seconds = ", ".join(f"{part} {seconds:.3f} s" for part, seconds in answer["seconds"].items())
        st.caption(f"rows {len(frame)}{' of more' if answer['truncated'] else ''}, {seconds}, cache {answer['cache']}")


def number_repeated(names: list[str]) -> list[str]:
    """Make column names unique by numbers, as a table needs them; a query may repeat names."""
    numbers: defaultdict[str, Iterator[int]] = defaultdict(lambda: count(2))
    unique: dict[str, str] = {}
    for name in names:
        free = name
        while free in unique:
            free = f"{name} ({next(numbers[name])})"
        unique[free] = name
    return [*unique]


def choose_chart(frame: pd.DataFrame) -> Callable[..., object] | None:
    """A line for a number over dates, bars for a number by label; None if labels repeat, whose bars would be sums."""
    if [pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes] != [False, True] or len(frame) < 2:
        return None
    if not frame.iloc[:, 0].is_unique or not all(frame.columns):  # an axis needs a name
        return None
    dates = pd.to_datetime(frame.iloc[:, 0], format="ISO8601", errors="coerce", utc=True)
    return st.line_chart if dates.notna().all() else st.bar_chart


def _take_feedback(answer: dict[str, Any]) -> None:
    ratings = {"up": ":material/thumb_up: Right", "down": ":material/thumb_down: Wrong"}
    with st.form(answer["id"]):  # a form per answer; kept once it is sent, because the gateway may refuse it
        rating = st.radio("Is it right?", ratings, format_func=ratings.get, index=None, horizontal=True)
        correction = st.text_input("The query that would be right, if you know it").strip() or None
        if st.form_submit_button("Send") and (rating or correction):
            about = {name: answer[name] for name in ("id", "database", "question", "query")}
            said = about | {"rating": rating or "down", "correction": correction}
            if said != st.session_state.get("said"):  # a second press sends nothing
                ask_gateway("POST", "/v1/feedback", said)
                st.session_state["said"] = said
            st.success("Thank you, it is stored.")
