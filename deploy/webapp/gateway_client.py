"""What the pages ask the gateway."""

import os
import re
from http.cookiejar import DefaultCookiePolicy

import httpx
import streamlit as st

_TIMEOUT_S = 300.0  # as in deploy/proxy/nginx.conf


def plain(text: str) -> str:
    """``text`` for Markdown, where what models and users write could load a picture from anywhere or become a link."""
    unlinked = re.sub("(?i)(https?|www)(?=[:.])", "\\1\u2060", text)  # a sign without width, for escapes stop no link
    return re.sub(r"([!-/:-@[-`{-~])", r"\\\1", unlinked)


def ask_gateway(method: str, path: str, body: object = None, *, stream: bool = False) -> httpx.Response:
    """The gateway's answer, to be closed if it is streamed; if there is none, the page says why and ends."""
    if not (key := st.session_state["key"]):  # in the audit log, who has none yet would be one who tries keys
        st.error("An API key is needed; type it at the side", icon=":material/error:")
        return st.stop()
    headers = {b"Authorization": f"Bearer {key}".encode()}  # as text it takes no letters beyond ASCII, and says which
    try:
        response = _http().send(_http().build_request(method, path, json=body, headers=headers), stream=stream)
        is_page = "text/html" in response.headers.get("Content-Type", "")  # such as one to sign in on
        if (response.is_success and not is_page) or path == "/health/ready":  # which says with status 503 what is wrong
            return response
        response.read()
        message = _read_refusal(response)
    except httpx.HTTPError as error:
        message = f"The gateway does not answer ({type(error).__name__}); is it running?"  # its text may quote the key
    st.error(plain(message), icon=":material/error:")
    return st.stop()


def _read_refusal(response: httpx.Response) -> str:
    try:
        message = str(response.json()["error"]["message"])
    except (ValueError, LookupError, TypeError):  # a proxy's page, or what another makes of an error
        message = f"What stands before the gateway answers {response.status_code} {response.reason_phrase}"
    return message + "; type it at the side" * (response.status_code == httpx.codes.UNAUTHORIZED)


@st.cache_resource
def _http() -> httpx.Client:
    client = httpx.Client(base_url=os.environ["COURSE_GATEWAY_URL"], timeout=_TIMEOUT_S, trust_env=False)
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # it asks for everybody, who share none
    return client
