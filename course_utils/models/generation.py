"""Generate greedy replies with any model, in this process or behind a URL, and time them."""

import os
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

from course_utils.errors import ModelError, ServiceError
from course_utils.files import is_local, sha256
from course_utils.models.hub import identify_model
from course_utils.models.load import attends_only, load_model, load_tokenizer
from course_utils.network import use_hub
from course_utils.profiles import Profile
from course_utils.prompts import BLOCK_END, TEMPLATE_OPTIONS, Prompt, encode_prompt

if TYPE_CHECKING:
    import httpx
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

READ_AT_ONCE = 2_048
"""Prompt tokens, over all rows, in one forward pass on a CPU; more would take more memory and compute more padding."""
GREEDY: dict[str, Any] = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
GREEDY |= dict.fromkeys(("temperature", "top_p", "top_k", "min_p"))
"""Options of ``generate`` for the most likely token at each step, overriding the model's own generation settings."""
SERVED_AT_ONCE = 30
"""Prompts per call of an engine behind a URL, which gets ``_N_AT_A_TIME`` requests at once."""
_N_AT_A_TIME = 4
_TIMEOUT_S = 120.0
_ANSWERS_LATER = (429, 502, 503, 504)


@dataclass(frozen=True)
class Reply:
    """A model's reply to one prompt."""

    text: str
    """The reply without special tokens."""
    seconds: float
    """The time of its batch divided by the number of prompts: throughput. A prompt asked alone takes longer."""
    stopped: bool
    """Whether the model ended the reply by an end token or the stop string, not by ``max_new_tokens``."""


def generate_replies(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    *,
    max_new_tokens: int,
    batch_size: int,
    stop: str = "",
    progress: str = "",
) -> list[Reply]:
    """Greedy replies, in the prompts' order, of a model in evaluation mode; each prompt is a list of token ids.

    Similar prompts share a batch of ``batch_size``, padded on the left. A reply has at most ``max_new_tokens`` and is
    cut before ``stop``, if that is not empty. ``progress`` labels a progress bar; empty shows none.

    Raises:
        ModelError: The model has no embedding for a token, because the tokenizer belongs to another model.
    """
    from tqdm.auto import tqdm

    check_tokens(model, tokenizer, prompts)
    ends = find_end_tokens(model, tokenizer)
    is_shared = model.device.type == "cpu"  # there, batches with common prefixes save more than those of one length
    order = sorted(range(len(prompts)), key=lambda index: prompts[index] if is_shared else [len(prompts[index])])
    replies: dict[int, Reply] = {}
    with tqdm(total=len(prompts), desc=progress, unit="reply", disable=not progress, leave=False) as bar:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            began = time.perf_counter()
            tokens = generate_tokens(model, tokenizer, [prompts[index] for index in indices], max_new_tokens, stop)
            seconds = round((time.perf_counter() - began) / len(indices), 4)
            texts = tokenizer.batch_decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            for index, ids, text in zip(indices, tokens, texts, strict=True):
                text, mark, _ = text.partition(stop) if stop else (text, "", "")
                stopped = bool(mark) or len(ids) < max_new_tokens or ids[-1] in ends
                replies[index] = Reply(text, seconds, stopped)
            bar.update(len(indices))
    return [replies[index] for index in range(len(prompts))]


def check_tokens(model: Any, tokenizer: Any, prompts: list[list[int]]) -> None:
    """Warn of prompts, or of rows to train on, that are longer than the model's context.

    Raises:
        ModelError: The model has no embedding for one of their tokens or for the padding token.
    """
    n_embeddings = model.get_input_embeddings().num_embeddings
    if (last := max([tokenizer.pad_token_id or 0, *chain(*prompts)])) >= n_embeddings:
        found = f"no embedding for token {last}, {tokenizer.convert_ids_to_tokens(last)!r}; it has {n_embeddings}"
        raise ModelError(f"{model.name_or_path}: {found}; use its own tokenizer, or call resize_token_embeddings")
    known = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if known and (n_long := sum(len(prompt) > known for prompt in prompts)):
        found = f"{n_long} of {len(prompts)} texts are longer than the {known} tokens that {model.name_or_path} knows"
        warnings.warn(f"{found}; replies to them may be meaningless: leave out rows or tables", stacklevel=3)


def find_end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Ids of the tokens that end a reply: the tokenizer's, which training teaches, and the generation config's."""
    own = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}


def generate_tokens(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    max_new_tokens: int,
    stop: str = "",
) -> list[list[int]]:
    """Greedy token ids of the replies to one batch of prompts, including the end token or ``stop`` if they end so."""
    import torch

    with torch.inference_mode():
        if model.device.type == "cpu" and attends_only(model):
            from course_utils.models.cpu_generation import generate_on_cpu

            return generate_on_cpu(model, tokenizer, prompts, max_new_tokens, stop)
        batch = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
        output = model.generate(
            **batch.to(model.device),
            max_new_tokens=max_new_tokens,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=[*find_end_tokens(model, tokenizer)] or None,
            **({"stop_strings": [stop], "tokenizer": tokenizer} if stop else {}),
            **GREEDY,
        )
    replies: list[list[int]] = output[:, batch["input_ids"].shape[1] :].tolist()
    for tokens in replies:
        while tokens and tokens[-1] == tokenizer.pad_token_id:
            tokens.pop()
    return replies


def ask_model(
    model: Any, tokenizer: Any, prompts: Sequence[Prompt], profile: Profile, progress: str = ""
) -> list[Reply]:
    """``generate_replies`` to prompts (all chats or all documents) with the profile's batch size and length."""
    sizes = {"max_new_tokens": profile.max_new_tokens, "batch_size": profile.generation_batch_size}
    stop = BLOCK_END if prompts and isinstance(prompts[0], str) else ""
    encoded = [encode_prompt(tokenizer, prompt) for prompt in prompts]
    return generate_replies(model, tokenizer, encoded, **sizes, stop=stop, progress=progress)


def ask_server(
    url: str,
    prompts: Sequence[Prompt],
    *,
    model: str = "course",
    max_new_tokens: int,
    options: Mapping[str, Any] | None = None,
) -> list[Reply]:
    """Greedy replies, in the prompts' order, of a server with OpenAI's API, which gets a few requests at a time.

    llama.cpp, Ollama, vLLM and hosted models have this API; the course's own servers accept any ``model`` name.
    ``url`` may end in ``/v1``. The environment variable ``OPENAI_API_KEY`` holds the key, if the server needs one.
    ``options`` are further fields of each request, such as llama.cpp's ``lora`` and ``grammar``.

    Raises:
        ServiceError: The URL or the key is invalid, or the server does not answer, or answers with an error or in
            another format.
    """
    import httpx

    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):  # checked here, because httpx's error would show the key
        raise ServiceError("OPENAI_API_KEY: a key has no line breaks and nothing but ASCII; copy it again")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    fields = {"model": model, "temperature": 0, "max_tokens": max_new_tokens, **(options or {})}
    began = time.perf_counter()
    try:
        place = httpx.URL(url.rstrip("/").removesuffix("/v1"))
        is_far = place.host not in ("127.0.0.1", "localhost")  # only remote servers may need the environment's proxy
        with (
            httpx.Client(base_url=place, timeout=_TIMEOUT_S, headers=headers, trust_env=is_far) as client,
            ThreadPoolExecutor(_N_AT_A_TIME) as pool,
        ):
            found = list(pool.map(partial(_ask, client, fields), prompts))
    except httpx.HTTPStatusError as error:
        said = f"{error.response.status_code} {shorten(error.response.text, 300)}"
        remedy = "shorten the prompts, name a model that it serves, or set OPENAI_API_KEY"
        remedy = "wait, and ask again" if error.response.status_code in _ANSWERS_LATER else remedy
        raise ServiceError(f"{url}: the server answers {said}; {remedy}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise ServiceError(f"{url}: {error!r}; is the model server running?") from error
    seconds = round((time.perf_counter() - began) / max(1, len(found)), 4)
    return [Reply(text, seconds, stopped) for text, stopped in found]


def _ask(client: "httpx.Client", fields: dict[str, Any], prompt: Prompt) -> tuple[str, bool]:
    """A server's reply to one prompt, and whether the model ended it itself."""
    if isinstance(prompt, str):
        response = client.post("/v1/completions", json=fields | {"prompt": prompt, "stop": [BLOCK_END]})
    else:
        body = fields | {"messages": prompt}
        response = client.post("/v1/chat/completions", json=body | {"chat_template_kwargs": TEMPLATE_OPTIONS})
        if response.status_code in (400, 422):  # OpenAI's own servers refuse unknown fields
            response = client.post("/v1/chat/completions", json=body)
    choice = response.raise_for_status().json()["choices"][0]
    text = choice["text"] if isinstance(prompt, str) else choice["message"]["content"]
    if not isinstance(text, str | None):
        raise TypeError("the reply's content is not a text")
    return text or "", choice["finish_reason"] == "stop"


@dataclass(frozen=True)
class Engine:
    """A model that answers prompts, wherever it runs."""

    ask: Callable[[Sequence[Prompt]], list[Reply]]
    """Answers prompts, all chats or all documents; the first call loads a model in this process."""
    made_by: str
    """Identifies the origin of its replies: a hash of the model's files, else its commit or URL, and the limits."""
    n_at_once: int
    """How many prompts to pass to ``ask`` at a time."""


def open_engine(
    name: str, profile: Profile, adapter: Path | None, served_as: str, serve_file: Callable[[Path], str]
) -> Engine:
    """Open an engine for a model's folder or Hub id, with or without ``adapter``, a ``.gguf`` file or a server's URL.

    ``serve_file`` starts a server for a file and returns its URL; ``served_as`` is the model's name on a server.

    Raises:
        ModelError, ServiceError: There is no such model, it takes no adapter, or its server does not start.
    """
    limits = f"{profile.max_new_tokens} tokens, 4 bits: {profile.load_in_4bit}"
    is_file, is_url = name.endswith(".gguf"), name.startswith(("http://", "https://"))
    if is_file or is_url:
        if adapter:
            raise ModelError(f"{name}: an adapter goes on a folder or a Hub id; merge it and serve the merged model")
        url = serve_file(Path(name)) if is_file else name
        made_by = f"sha256 {sha256(Path(name))}" if is_file else f"{name} {served_as}"
        ask = partial(ask_server, url, model=served_as, max_new_tokens=profile.max_new_tokens)
        return Engine(ask, f"{made_by}, {limits}", SERVED_AT_ONCE)
    if not is_local(name):
        use_hub(True)  # ``open_course`` decided for the base model only
    loading = partial(load_model, name, adapter=adapter, load_in_4bit=profile.load_in_4bit, merge=True)
    load = cache(lambda: (loading(), load_tokenizer(name)))
    made_by = f"{identify_model(name, adapter)}, {limits}"
    return Engine(lambda prompts: ask_model(*load(), prompts, profile), made_by, profile.generation_batch_size)
