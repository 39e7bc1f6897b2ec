"""Ask a model behind a URL in OpenAI's protocol, which llama.cpp, Ollama, vLLM and hosted models speak."""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from course_utils.errors import ServiceError, require
from course_utils.models.generation import Reply
from course_utils.prompts import BLOCK_END, TEMPLATE_OPTIONS, Prompt

_TIMEOUT_S = 120.0
_N_AT_A_TIME = 4


def ask_server(
    url: str,
    prompts: Sequence[Prompt],
    *,
    model: str = "course",
    max_new_tokens: int,
    options: Mapping[str, Any] | None = None,
) -> list[Reply]:
    """Greedy replies of a server's ``model``, in order; a few are asked for at a time. The course's own take any name.

    ``options`` are further fields of each request, such as llama.cpp's ``lora`` and ``grammar``.

    ``url`` may end in ``/v1``. Where the server wants a key, the variable ``OPENAI_API_KEY`` holds it.

    Raises:
        ServiceError: The server does not answer, or answers with an error or in another form.
        MissingExtraError: httpx is not installed.
    """
    require("serve", "httpx")
    import httpx

    place = httpx.URL(url.rstrip("/").removesuffix("/v1"))
    headers = {"Authorization": f"Bearer {key}"} if (key := os.environ.get("OPENAI_API_KEY")) else {}
    fields = {"model": model, "temperature": 0, "max_tokens": max_new_tokens, **(options or {})}
    is_far = place.host not in ("127.0.0.1", "localhost")  # a proxy that the environment names may lead there
    with httpx.Client(base_url=place, timeout=_TIMEOUT_S, headers=headers, trust_env=is_far) as client:

        def ask(prompt: Prompt) -> tuple[str, bool]:
            if isinstance(prompt, str):
                body: dict[str, Any] = fields | {"prompt": prompt, "stop": [BLOCK_END]}
                response = client.post("/v1/completions", json=body)
            else:
                body = fields | {"messages": prompt}
                response = client.post("/v1/chat/completions", json=body | {"chat_template_kwargs": TEMPLATE_OPTIONS})
                if response.status_code == httpx.codes.BAD_REQUEST:  # OpenAI's own servers refuse what they do not know
                    response = client.post("/v1/chat/completions", json=body)
            choice = response.raise_for_status().json()["choices"][0]
            text = choice["text"] if isinstance(prompt, str) else choice["message"]["content"]
            return text or "", choice["finish_reason"] == "stop"

        began = time.perf_counter()
        try:
            with ThreadPoolExecutor(_N_AT_A_TIME) as pool:
                found = list(pool.map(ask, prompts))
        except (httpx.HTTPError, ValueError, LookupError, TypeError) as error:
            raise ServiceError(f"{url}: {error!r}; is the model server running?") from error
    seconds = round((time.perf_counter() - began) / max(1, len(found)), 4)
    return [Reply(text, seconds, stopped) for text, stopped in found]
