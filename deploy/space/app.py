"""A demo for the Hugging Face Hub: a question in, the query and its rows out, by the gateway's ``/v1/sql``.

The Space's settings give ``COURSE_GATEWAY_URL`` as a variable and ``COURSE_API_KEY`` as a secret: visitors see neither.
"""

import os

import gradio as gr
import httpx

HEADERS = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("COURSE_API_KEY")) else {}
GATEWAY = httpx.Client(base_url=os.environ["COURSE_GATEWAY_URL"], headers=HEADERS, timeout=300)


def ask_gateway(method: str, path: str, **options: object) -> dict:
    """The gateway's answer as JSON; without one the visitor is told so, but not the address."""
    try:
        return read(GATEWAY.request(method, path, **options))
    except httpx.HTTPError:
        raise gr.Error("The gateway behind this page does not answer now; try again in some minutes") from None


def read(response: httpx.Response) -> dict:
    """The gateway's answer as JSON; if it refuses the request, the visitor sees its reason."""
    try:
        answer = response.json()
        if response.is_success:
            return answer
        message = answer["error"]["message"]
    except (ValueError, LookupError, TypeError):  # a page of a proxy, or another form of error
        message = f"A server before the gateway answers {response.status_code} {response.reason_phrase}"
    raise gr.Error(message)


def ask(database: str, question: str) -> tuple[str, dict]:
    """The query and its rows as a table, or the error of the database."""
    answer = ask_gateway("POST", "/v1/sql", json={"database": database, "question": question})
    if answer["error"]:  # such as an unknown column
        return answer["query"], {"headers": ["The database says"], "data": [[answer["error"]]]}
    return answer["query"], {"headers": answer["columns"], "data": answer["rows"]}


def list_databases() -> list[str]:
    """The names of the gateway's databases."""
    return [each["id"] for each in ask_gateway("GET", "/v1/databases")["data"]]


# Any name may be typed: programs ask without having opened the page, and the gateway refuses what it does not have.
inputs = [gr.Dropdown(label="Database", allow_custom_value=True), gr.Textbox(label="Question")]
outputs = [gr.Code(label="Query", language="sql"), gr.Dataframe(label="Rows")]
demo = gr.Interface(ask, inputs, outputs, title="Questions to SQL", flagging_mode="never", analytics_enabled=False)
with demo:  # for each visitor, so that a gateway that is down when the Space starts does no harm
    demo.load(lambda: gr.Dropdown(list_databases()), outputs=inputs[0])

if __name__ == "__main__":
    demo.launch()
