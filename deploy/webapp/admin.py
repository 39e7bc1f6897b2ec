"""Admin: the gateway's live metrics, and its API keys."""

import time

import streamlit as st

from course_utils.prometheus import histogram_quantile, parse_metrics
from deploy.webapp.gateway_client import ask_gateway, plain


def show_admin() -> None:
    """Draw the page."""
    st.title("Admin")
    ask_gateway("GET", "/metrics")  # ends the page for a user who is refused, before the numbers refresh
    _show_numbers()
    st.header("API keys")
    st.caption("The gateway keeps them in the file that COURSE_KEYS_FILE names; without the file there are none.")
    with st.form("new", clear_on_submit=True), st.container(horizontal=True, vertical_alignment="bottom"):
        new: dict[str, object] = {"name": st.text_input("Name"), "scope": st.selectbox("Scope", ["user", "admin"])}
        for limit, value in (("requests_per_minute", 60), ("tokens_per_minute", 100_000), ("max_concurrent", 8)):
            label = limit.replace("_", " ").capitalize() + " per gateway" * (limit == "max_concurrent")
            new[limit] = st.number_input(label, 1, value=value)
        is_sent = st.form_submit_button("Create a key", type="primary")
    if is_sent:
        st.success("Copy the key now: it cannot be shown again.")
        st.code(ask_gateway("POST", "/v1/admin/keys", new).json()["key"], language=None, wrap_lines=True)
    for key in ask_gateway("GET", "/v1/admin/keys").json()["data"]:
        st.text(", ".join(f"{field.replace('_', ' ')} {value}" for field, value in key.items()))
        if st.popover(f"Delete {plain(key['name'])}").button("Yes, delete it", key=key["id"]):
            ask_gateway("DELETE", f"/v1/admin/keys/{key['id']}")
            st.rerun()


@st.fragment(run_every=3.0)
def _show_numbers() -> None:
    lines = ask_gateway("GET", "/metrics").text.splitlines()
    lines = [line for line in lines if 'route="' not in line or 'route="/v1/' in line]  # no health checks, no scrapes
    page = parse_metrics("\n".join(lines), time.time())
    statuses, latencies = page.by_label("course_requests_total", "status"), page.buckets("course_request_seconds")
    numbers = {
        "Requests": sum(statuses.values()),
        "Errors (5xx)": sum(n for status, n in statuses.items() if status.startswith("5")),
        "Median, ms": 1000 * histogram_quantile(0.5, latencies),
        "95 %, ms": 1000 * histogram_quantile(0.95, latencies),
        "Tokens": page.total("course_tokens_total"),
        "From the cache": page.total("course_cache_total", state="hit"),
        "Waiting": page.total("course_queue_depth"),
    }
    with st.container(horizontal=True):
        for name, value in numbers.items():
            st.metric(name, f"{value:,.0f}".replace("nan", "–"), border=True, width=165)
    ready = ask_gateway("GET", "/health/ready").json()
    st.caption(plain(", ".join(f"{part}: {'ok' if state == '' else state}" for part, state in ready.items())))
