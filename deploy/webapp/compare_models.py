"""Compare: two models answer a question side by side, as streams."""

import json
import time
from contextlib import closing

import streamlit as st

from course_utils.prompts import Message, to_messages
from deploy.webapp.ask import question_form
from deploy.webapp.gateway_client import ask_gateway, plain


def show_compare() -> None:
    """Draw the page."""
    st.title("Compare two models")
    models = [each["id"] for each in ask_gateway("GET", "/v1/models").json()["data"]]
    if len(models) == 1:
        st.info("""Only one model is here. Add: `COURSE_MODELS='{"base": {"url": "http://host:8082"}}' course serve`""")
    sides = st.columns(min(2, len(models)))
    chosen = [side.selectbox(f"Model {n}", models, index=n - 1) for n, side in enumerate(sides, 1)]
    _, schema, question = question_form()
    for model, side in zip(chosen, st.columns(len(chosen)), strict=True):
        if question:  # one after the other, because on one machine each would slow the other down
            side.subheader(model)
            _show_reply(model, to_messages(schema, question), side)


def _show_reply(model: str, messages: list[Message], side: st.delta_generator.DeltaGenerator) -> None:
    body = {"model": model, "messages": messages, "temperature": 0, "stream": True}
    shown, text, began, first_s = side.empty(), "", time.perf_counter(), 0.0
    with closing(ask_gateway("POST", "/v1/chat/completions", body, stream=True)) as response:
        for line in response.iter_lines():
            event = json.loads(line.removeprefix("data: ")) if line.startswith("data: {") else {}
            if "error" in event:
                side.error(plain(event["error"]["message"]))
            text += "".join(choice["delta"].get("content") or "" for choice in event.get("choices", ()))
            first_s = first_s or bool(text) * (time.perf_counter() - began)
            shown.code(text, language="sql", wrap_lines=True)
    side.caption(f"{time.perf_counter() - began:.2f} s, the first word after {first_s:.2f} s")
