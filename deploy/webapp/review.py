"""Review: an admin decides about feedback in doubt: which query is right, or that it teaches nothing."""

from typing import Any

import streamlit as st

from course_utils.feedback_rows import topic
from deploy.webapp.ask import show_answer
from deploy.webapp.gateway_client import ask_gateway


def show_review() -> None:
    """Draw the page."""
    st.title("Review answers")
    waiting = ask_gateway("GET", "/v1/admin/reviews").json()
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in waiting["data"]:
        groups.setdefault(topic(row["database"], row), []).append(row)
    st.caption(f"Rated wrong, or corrected by one user alone: {waiting['n_waiting']} wait, the oldest first.")
    if groups:
        _show_question(groups[st.selectbox("Question", groups, format_func=": ".join)])


def _show_question(rows: list[dict[str, Any]]) -> None:
    st.text(rows[0]["question"])  # not Markdown, which makes links of users' text
    for row in rows[-20:]:
        st.text(f"{row['time'][:10]}, {row['caller']}: {row['rating']}. {row['comment'] or ''}")
    # Keys name the rows and the query beside a button: pressed on an old page, it decides nothing that was not shown.
    if st.button("Dismiss", key=f"dismiss {rows[-1]['row_id']}"):  # above the queries, which may be refused
        _decide(rows, None)
    written, corrections = ([row[name] for row in rows if row.get(name)] for name in ("query", "correction"))
    if written:
        _run(rows[0], written[-1], "What the model wrote")
    start = st.selectbox("Start from", dict.fromkeys(corrections + written))
    query = st.text_area("The query that is right", start or "", key=f"{rows[0]['row_id']} {start}").strip()
    runs = bool(query) and _run(rows[0], query, "What this query gives")
    if st.button("Accept this query", type="primary", disabled=not runs, key=f"accept {rows[-1]['row_id']} {query}"):
        _decide(rows, query)


def _run(row: dict[str, Any], query: str, heading: str) -> bool:
    """Show a query and its rows; return whether it runs."""
    tried = {"database": row["database"], "question": row["question"], "query": query}
    answer = ask_gateway("POST", "/v1/admin/queries", tried).json()
    show_answer(answer | {"cache": "off"}, heading)
    return bool(answer["checks"]["executed"])


def _decide(rows: list[dict[str, Any]], correction: str | None) -> None:
    review = {name: rows[0][name] for name in ("id", "database", "question")}
    review |= {"correction": correction, "reviews": [row["row_id"] for row in rows]}
    ask_gateway("POST", "/v1/admin/reviews", review | {"rating": "down" if correction else "up"})
    st.toast("Accepted: confirmed for the next version of the data." if correction else "Dismissed.")
    st.rerun()
