"""Greedy replies of any model, in this process or behind a URL, and how long they took."""

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
from course_utils.profiles import Profile
from course_utils.prompts import BLOCK_END, TEMPLATE_OPTIONS, Prompt, encode_prompt

if TYPE_CHECKING:
    import httpx
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

READ_AT_ONCE = 2_048
"""Tokens of prompts that a CPU reads in one forward pass: more would take more memory, and read more padding."""
GREEDY: dict[str, Any] = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0}
GREEDY |= dict.fromkeys(("temperature", "top_p", "top_k", "min_p"))
"""The most likely token at each step, whatever sampling or penalty a model's own settings ask for."""
SERVED_AT_ONCE = 30
"""Prompts that an engine behind a URL is given at a time, of which it is asked ``_N_AT_A_TIME`` together."""
_N_AT_A_TIME = 4
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Reply:
    """What a model wrote to one prompt."""

    text: str
    """Without special tokens."""
    seconds: float
    """The time of its batch divided by the batch's prompts: throughput. A prompt asked alone waits longer."""
    stopped: bool
    """The model ended the reply itself, before ``max_new_tokens``, or wrote what it was to stop at."""


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
    """Greedy replies, in order, of a model in evaluation mode to prompts given as token ids, each of shape (length,).

    Prompts that are alike share a batch of ``batch_size``, padded on the left; a reply has ``max_new_tokens`` at most,
    and ends before ``stop`` if that is given and comes. ``progress`` labels a bar, none if empty.

    Raises:
        ModelError: The tokenizer is another model's.
    """
    from tqdm.auto import tqdm

    check_tokens(model, tokenizer, prompts)
    ends = find_end_tokens(model, tokenizer)
    is_shared = model.device.type == "cpu"  # there, prompts that begin alike save more than those of one length
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
    """Warn of prompts that are longer than any the model has learned from.

    Raises:
        ModelError: There is a token, that for padding included, which the model has no embedding for.
    """
    n_embeddings = model.get_input_embeddings().num_embeddings
    if (last := max([tokenizer.pad_token_id or 0, *chain(*prompts)])) >= n_embeddings:
        found = f"no embedding for token {last}, {tokenizer.convert_ids_to_tokens(last)!r}; it has {n_embeddings}"
        raise ModelError(f"{model.name_or_path}: {found}; use its own tokenizer, or call resize_token_embeddings")
    known = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if known and (n_long := sum(len(prompt) > known for prompt in prompts)):
        found = f"{n_long} of {len(prompts)} prompts are longer than the {known} tokens that {model.name_or_path} knows"
        warnings.warn(f"{found}; replies to them may mean nothing: leave out rows or tables", stacklevel=3)


def find_end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Ids that end a reply: the tokenizer's end token, which is what training teaches, and those the model names."""
    own = model.generation_config.eos_token_id
    return {tokenizer.eos_token_id, *(own if isinstance(own, list) else [own])} - {None}


def generate_tokens(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: list[list[int]],
    max_new_tokens: int,
    stop: str = "",
) -> list[list[int]]:
    """Greedy token ids for one batch of prompts; a reply that stopped by itself ends with its end token or ``stop``."""
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
    """``generate_replies`` to prompts, all chats or all documents, by the profile's sizes."""
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
    """Greedy replies, in order, of a ``model`` behind a URL in OpenAI's protocol, a few at a time.

    llama.cpp, Ollama, vLLM and hosted models speak it; the course's own servers take any name of a model. ``url`` may
    end in ``/v1``. Where the server wants a key, the variable ``OPENAI_API_KEY`` holds it. ``options`` are further
    fields of each request, such as llama.cpp's ``lora`` and ``grammar``.

    Raises:
        ServiceError: The address or the key is none, or the server does not answer, or answers with an error or in
            another form.
    """
    import httpx

    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):  # what refuses it in a header would show it to everybody
        raise ServiceError("OPENAI_API_KEY: a key has no line breaks and nothing but ASCII; copy it again")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    fields = {"model": model, "temperature": 0, "max_tokens": max_new_tokens, **(options or {})}
    began = time.perf_counter()
    try:
        place = httpx.URL(url.rstrip("/").removesuffix("/v1"))
        is_far = place.host not in ("127.0.0.1", "localhost")  # a proxy that the environment names may lead there
        with (
            httpx.Client(base_url=place, timeout=_TIMEOUT_S, headers=headers, trust_env=is_far) as client,
            ThreadPoolExecutor(_N_AT_A_TIME) as pool,
        ):
            found = list(pool.map(partial(_ask, client, fields), prompts))
    except httpx.HTTPStatusError as error:
        said = f"{error.response.status_code} {shorten(error.response.text, 300)}"
        remedy = "shorten the prompts, name a model that it serves, or set OPENAI_API_KEY"
        raise ServiceError(f"{url}: the server answers {said}; {remedy}") from error
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise ServiceError(f"{url}: {error!r}; is the model server running?") from error
    seconds = round((time.perf_counter() - began) / max(1, len(found)), 4)
    return [Reply(text, seconds, stopped) for text, stopped in found]


def _ask(client: "httpx.Client", fields: dict[str, Any], prompt: Prompt) -> tuple[str, bool]:
    """What a server replies to one prompt, and whether the model ended it."""
    if isinstance(prompt, str):
        response = client.post("/v1/completions", json=fields | {"prompt": prompt, "stop": [BLOCK_END]})
    else:
        body = fields | {"messages": prompt}
        response = client.post("/v1/chat/completions", json=body | {"chat_template_kwargs": TEMPLATE_OPTIONS})
        if response.status_code in (400, 422):  # as OpenAI's servers refuse what they do not know
            response = client.post("/v1/chat/completions", json=body)
    choice = response.raise_for_status().json()["choices"][0]
    text = choice["text"] if isinstance(prompt, str) else choice["message"]["content"]
    return text or "", choice["finish_reason"] == "stop"


@dataclass(frozen=True)
class Engine:
    """A model that answers prompts, wherever it runs."""

    ask: Callable[[Sequence[Prompt]], list[Reply]]
    """All chats or all documents; a model in this process is loaded when it is first asked."""
    made_by: str
    """What its replies follow from: the hash of its files, else its commit or address, and the limits."""
    n_at_once: int
    """How many prompts to give it at a time."""


def open_engine(
    name: str, profile: Profile, adapter: Path | None, served_as: str, serve_file: Callable[[Path], str]
) -> Engine:
    """Open any engine: a model's folder or Hub id, with an ``adapter`` or without, a ``.gguf`` file or a server's URL.

    ``serve_file`` starts a server for a file and gives its URL; ``served_as`` is what a server calls the model.

    Raises:
        ModelError, ServiceError: There is no such model, it takes no adapter, or its server does not start.
    """
    limits = f"{profile.max_new_tokens} tokens, 4 bits: {profile.load_in_4bit}"
    is_file, is_url = name.endswith(".gguf"), name.startswith(("http://", "https://"))
    if is_file or is_url:
        if adapter:
            raise ModelError(f"{name}: an adapter goes on a folder or a Hub id; merge it and serve the sum")
        url = serve_file(Path(name)) if is_file else name
        made_by = f"sha256 {sha256(Path(name))}" if is_file else f"{name} {served_as}"
        ask = partial(ask_server, url, model=served_as, max_new_tokens=profile.max_new_tokens)
        return Engine(ask, f"{made_by}, {limits}", SERVED_AT_ONCE)
    if not (is_local(name) or profile.needs_hub):
        os.environ.pop("HF_HUB_OFFLINE", None)  # as ``open_course`` says of the profile's own model
    loading = partial(load_model, name, adapter=adapter, load_in_4bit=profile.load_in_4bit, merge=True)
    load = cache(lambda: (loading(), load_tokenizer(name)))
    made_by = f"{identify_model(name, adapter)}, {limits}"
    return Engine(lambda prompts: ask_model(*load(), prompts, profile), made_by, profile.generation_batch_size)
