"""The pages' requests to the gateway."""

import os
import re
from http.cookiejar import DefaultCookiePolicy

import httpx
import streamlit as st

_TIMEOUT_S = 300.0  # as in deploy/proxy/nginx.conf


def plain(text: str) -> str:
    """Escape a text of models or users for Markdown, where it could load an image from any site or become a link."""
    unlinked = re.sub("(?i)(https?|www)(?=[:.])", "\\1\u2060", text)  # zero width: escapes stop no link
    return re.sub(r"([!-/:-@[-`{-~])", r"\\\1", unlinked)


def ask_gateway(method: str, path: str, body: object = None, *, stream: bool = False) -> httpx.Response:
    """The gateway's response, to be closed if it is streamed; if it is an error, show why and end the page."""
    if not (key := st.session_state["key"]):  # or the audit log would show a user without a key as one who tries keys
        st.error("An API key is needed; type it at the side", icon=":material/error:")
        return st.stop()
    headers = {b"Authorization": f"Bearer {key}".encode()}  # bytes: httpx refuses text beyond ASCII, and quotes it
    try:
        response = _http().send(_http().build_request(method, path, json=body, headers=headers), stream=stream)
        is_page = "text/html" in response.headers.get("Content-Type", "")  # such as a proxy's sign-in page
        if (response.is_success and not is_page) or path == "/health/ready":  # whose 503 says what is wrong
            return response
        response.read()
        message = _read_refusal(response)
    except httpx.HTTPError as error:
        message = f"The gateway does not answer ({type(error).__name__}); is it running?"  # str(error) may have the key
    st.error(plain(message), icon=":material/error:")
    return st.stop()


def _read_refusal(response: httpx.Response) -> str:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):  # a page of a proxy, or another form of error
        message = f"A server before the gateway answers {response.status_code} {response.reason_phrase}"
    return message + "; type it at the side" * (response.status_code == httpx.codes.UNAUTHORIZED)


@st.cache_resource
def _http() -> httpx.Client:
    client = httpx.Client(base_url=os.environ["COURSE_GATEWAY_URL"], timeout=_TIMEOUT_S, trust_env=False)
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # users share it, but no cookies
    return client
