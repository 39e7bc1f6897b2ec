"""The script that Streamlit runs: navigation, key and errors of every page."""

import os
from pathlib import Path

import httpx
import streamlit as st

from course_utils.errors import CourseError
from deploy.webapp import admin, ask, compare_models, rate, review
from deploy.webapp.gateway_client import plain

st.set_page_config("Questions to SQL", "🔎", "wide")
st.html(Path(__file__).with_name("style.css"))
pages = [
    st.Page(ask.show_ask, title="Ask", icon=":material/chat:", default=True),
    st.Page(compare_models.show_compare, title="Compare", icon=":material/compare_arrows:", url_path="compare"),
    st.Page(rate.show_rate, title="Rate", icon=":material/thumbs_up_down:", url_path="rate"),
    st.Page(review.show_review, title="Review", icon=":material/fact_check:", url_path="review"),
    st.Page(admin.show_admin, title="Admin", icon=":material/tune:", url_path="admin"),
]
typed = st.sidebar.text_input("API key", type="password", placeholder="the app's own, if it has one")
st.session_state["key"] = typed.strip() or os.environ.get("COURSE_APP_KEY", "").strip()  # kept while the page is open
try:
    st.navigation(pages).run()
except (CourseError, httpx.HTTPError) as error:  # HTTPError: a stream broke off
    st.error(plain(str(error)), icon=":material/error:")
