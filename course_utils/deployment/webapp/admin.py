"""Admin: what the gateway counts, live."""

import time

import streamlit as st

from course_utils.deployment.webapp.gateway_client import ask_gateway
from course_utils.prometheus import histogram_quantile, parse_metrics


def show_admin() -> None:
    """The page."""
    st.title("Admin")
    _show_numbers()


@st.fragment(run_every=3.0)
def _show_numbers() -> None:
    page = parse_metrics(ask_gateway("GET", "/metrics").text, time.time())
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
            st.metric(name, f"{value:,.0f}", border=True, width=180)
    ready = ask_gateway("GET", "/health/ready").json()
    st.caption(", ".join(f"{part.replace('_', ' ')}: {state or 'ok'}" for part, state in ready.items()))
