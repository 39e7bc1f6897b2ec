"""Mistakes that show in the ids and labels that are trained on."""

from collections.abc import Iterator
from itertools import takewhile

from course_utils.data.tokens.mistake import Chat, Mistake, n_same
from course_utils.data.tokens.template_checks import generation_prompt_mistake


def check_begin(chat: Chat) -> Iterator[Mistake]:
    """Two beginning-of-text tokens."""
    bos = chat.tokenizer.bos_token_id
    if bos is None:
        return
    n_bos = len(list(takewhile(lambda token: token == bos, chat.trained.input_ids)))
    if n_bos > 1:
        fix = "tokenize the rendered text with add_special_tokens=False, or take bos_token out of the template"
        yield Mistake("double-bos", f"the row begins with {n_bos} {chat.tokenizer.bos_token!r} tokens", fix)
    elif not chat.is_foreign and list(chat.tokenizer(chat.whole_text)["input_ids"])[:2] == [bos, bos]:
        yield Mistake(
            "double-bos",
            f"the template writes {chat.tokenizer.bos_token!r}, and the tokenizer adds one to any text",
            "never tokenize the rendered text without add_special_tokens=False",
            "warning",
        )


def check_end(chat: Chat) -> Iterator[Mistake]:
    """A reply whose end has no label."""
    eos = chat.tokenizer.eos_token_id
    if not chat.labelled or (eos is not None and eos in chat.labelled):
        return
    yield Mistake(
        "missing-eos",
        f"no {chat.tokenizer.eos_token!r} among the labels; the last are {chat.show(chat.labelled[-2:])}, "
        "so the model is never taught to stop",
        "set tokenizer.eos_token to the token that ends a turn in the template, or write eos_token after the reply",
    )


def check_labels(chat: Chat) -> Iterator[Mistake]:
    """Labels on nothing or on everything, and another pipeline's prompt."""
    n, n_labels = len(chat.trained.input_ids), len(chat.labelled)
    if n_labels == 0:
        yield Mistake(
            "all-masked",
            f"none of the {n} tokens has a label; the loss is not a number or 0, and nothing is learned",
            "the marker of where the reply begins is not among the ids, or max_length cut the reply",
        )
    elif n_labels == n:
        yield Mistake(
            "none-masked",
            f"all {n} tokens have a label: the model is taught to write schemas and questions",
            "give labels to the reply and its end token only",
        )
    elif chat.is_foreign:
        yield from _compare_prompt(chat)


def _compare_prompt(chat: Chat) -> Iterator[Mistake]:
    """Whether another pipeline's prompt is the one that generation gives the model."""
    n_prompt = chat.trained.completion_mask.index(1)
    bos = chat.tokenizer.bos_token_id
    taught = chat.trained.input_ids[:n_prompt]
    while bos is not None and taught[:2] == [bos, bos]:  # has a name of its own
        taught = taught[1:]
    if taught == chat.prompt:
        return
    same = n_same(taught, chat.prompt)
    differ = (
        f"{chat.show(chat.prompt[same : same + 4])} when it is asked, {chat.show(taught[same : same + 4])} in training"
    )
    if same == min(len(taught), len(chat.prompt)):
        yield generation_prompt_mistake(f"the prompt goes on with {differ}")
    else:
        yield Mistake(
            "prompt-changed",
            f"from token {same} on the prompt is {differ}",
            "encode training rows by prompts.encode_example, as generation encodes its prompts",
        )
