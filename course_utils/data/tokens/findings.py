"""The classic faults of chat templates, found by code before a model is trained on them.

``prompts.encode_example`` refuses what it cannot encode; here each fault has a name, its evidence and a fix, also
those that training would not notice.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from course_utils.data.tokens.templates import CONTROL_TOKEN
from course_utils.data.tokens.view import token_bytes, visible
from course_utils.errors import ModelError
from course_utils.finding import Finding, Findings, Severity
from course_utils.prompts import Message, encode_text, render_chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FIXES = {
    "no-template": "choose an instruct model",
    "system-refused": "put the instruction at the top of the first user message",
    "template-refuses": "look at the roles and their order",
    "message-dropped": "put the instruction into the user message, or use the template of the model's own repository",
    "double-bos": "let the template write bos_token once, and tokenize its text with add_special_tokens=False",
    "missing-eos": "set tokenizer.eos_token to the token that ends a turn, or let the template write it after a reply",
    "pad-is-eos": "give tokenizer.pad_token a token of its own, as models.load_tokenizer does",
    "prompt-changed": "use a template that keeps the prompt as it is once a reply follows",
    "generation-prompt": "end the prompt, under add_generation_prompt, with what stands before each reply in training",
    "border-merged": "end the prompt with a control token or a line break, and leave a space to the reply",
    "wrong-template": "use the model's own chat template",
    "split-control-token": "load the tokenizer with its added tokens, or add them and train their embeddings",
    "injected-control-token": "take control tokens out of the text before it meets the template",
}
"""What to do, by the name of each check."""


def template_findings(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], completion: str) -> Findings:
    """What is wrong with the way a tokenizer and its chat template turn one row into tokens.

    Args:
        tokenizer: With a chat template.
        messages: The prompt, as ``prompts.to_messages`` makes it.
        completion: The reply to learn.

    Returns:
        Empty if nothing is wrong; an ``error`` harms what is trained. Llama 3's and Gemma's own tokenizers give one
        ``warning``: their templates write the beginning-of-text token, and so does the tokenizer, for those who
        tokenize rendered text themselves.
    """
    chat = [*messages, {"role": "assistant", "content": completion.strip()}]
    found = Findings([*_check_padding(tokenizer), *_check_contents(tokenizer, chat)])
    if not tokenizer.chat_template:
        return Findings([*found, _finding("no-template", "the tokenizer has no chat template")])
    try:
        prompt = render_chat(tokenizer, messages, add_generation_prompt=True)
        whole = render_chat(tokenizer, chat, add_generation_prompt=False)
    except ModelError as error:
        return Findings([*found, _refusal(tokenizer, chat, str(error.__cause__))])
    found += [*_check_messages(chat, prompt, whole), *_check_prefix(chat, prompt, whole)]
    found += [*_check_ids(tokenizer, prompt, whole), *_check_begin(tokenizer, whole)]
    found += _check_control_tokens(tokenizer, chat)
    return found


def _finding(check: str, evidence: str, severity: Severity = "error") -> Finding:
    return Finding(check, severity, evidence, FIXES[check])


def _check_padding(tokenizer: "PreTrainedTokenizerBase") -> Iterator[Finding]:
    if tokenizer.eos_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield _finding(
            "pad-is-eos",
            f"padding and the end of a reply are both {tokenizer.eos_token!r} (id {tokenizer.eos_token_id}); "
            "what hides padding from the loss hides the end too, and the model never learns to stop",
        )


def _check_contents(tokenizer: "PreTrainedTokenizerBase", chat: Sequence[Message]) -> Iterator[Finding]:
    """Control tokens hidden in the texts."""
    added = tokenizer.added_tokens_decoder.items()
    control = {i: token.content for i, token in added if token.special or CONTROL_TOKEN.fullmatch(token.content)}
    for message in chat:
        if hits := [i for i in encode_text(tokenizer, message["content"]) if i in control]:
            yield _finding(
                "injected-control-token",
                f"the text of the {message['role']} message holds {control[hits[0]]!r}, which becomes the control "
                f"token {hits[0]}: whoever writes it can end the turn and begin another",
            )


def _refusal(tokenizer: "PreTrainedTokenizerBase", chat: Sequence[Message], reason: str) -> Finding:
    """Why a template raised an error: because of the system message, or whatever the messages."""
    try:
        render_chat(tokenizer, [m for m in chat if m["role"] != "system"], add_generation_prompt=False)
    except ModelError:
        return _finding("template-refuses", f"the template refuses the chat: {reason}")
    return _finding("system-refused", f"the template refuses a system message: {reason}")


def _check_messages(chat: Sequence[Message], prompt: str, whole: str) -> Iterator[Finding]:
    """Messages that the template leaves out."""
    for message in chat:
        text = message["content"].strip()
        if message is not chat[-1] and text not in prompt:
            yield _finding("message-dropped", f"the {message['role']} message is not in the prompt")
        elif text not in whole:
            yield _finding("message-dropped", f"the {message['role']} message is not in the text that is trained on")


def _check_prefix(chat: Sequence[Message], prompt: str, whole: str) -> Iterator[Finding]:
    """A prompt that reads otherwise once a reply follows it."""
    reply, last = chat[-1]["content"], chat[-2]["content"].strip()
    asked_otherwise = "the model is asked in another form than it is taught"
    if whole.startswith(prompt):
        before_reply, found, _ = whole[len(prompt) :].partition(reply)
        if found and before_reply.strip():
            evidence = f"the prompt ends with {prompt[-20:]!r}, but training has {before_reply!r} before the reply"
            yield _finding("generation-prompt", f"{evidence}: {asked_otherwise}")
        return
    same = _n_same(prompt, whole)
    differ = f"{prompt[same : same + 30]!r} when it is asked, {whole[same : same + 30]!r} in training"
    if same >= (prompt.rfind(last) + len(last) if last in prompt else len(prompt)):
        yield _finding("generation-prompt", f"after the last message stands {differ}: {asked_otherwise}")
    else:
        yield _finding("prompt-changed", f"the template writes the same messages in two ways: {differ}")


def _n_same(one: Sequence[object], other: Sequence[object]) -> int:
    """How many items two texts or lists of ids have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _check_ids(tokenizer: "PreTrainedTokenizerBase", prompt: str, whole: str) -> Iterator[Finding]:
    """A last token of the prompt that merges with the reply's first; a reply whose end has no label."""
    asked, taught = encode_text(tokenizer, prompt), encode_text(tokenizer, whole)
    if whole.startswith(prompt) and taught[: len(asked)] != asked:
        same = _n_same(asked, taught)
        yield _finding(
            "border-merged",
            f"the prompt ends with {_show(tokenizer, asked[same:])}, but with the reply behind it the same letters are "
            f"{_show(tokenizer, taught[same : same + 2])}: the prompt's last token is never seen in training",
        )
    labelled = taught[len(asked) :]
    if labelled and tokenizer.eos_token_id not in labelled:
        last = _show(tokenizer, labelled[-2:])
        evidence = f"no {tokenizer.eos_token!r} among the labels; the last are {last}"
        yield _finding("missing-eos", f"{evidence}, so the model is never taught to stop")


def _show(tokenizer: "PreTrainedTokenizerBase", token_ids: Sequence[int]) -> str:
    return " ".join(f"{visible(raw)!r}" for raw in token_bytes(tokenizer, token_ids)) or "nothing"


def _check_begin(tokenizer: "PreTrainedTokenizerBase", whole: str) -> Iterator[Finding]:
    """Two beginning-of-text tokens, for everybody or for those who tokenize rendered text as if it were plain."""
    bos, name = tokenizer.bos_token_id, tokenizer.bos_token
    if bos is None:
        return
    n_bos = sum(1 for _ in takewhile(lambda token: token == bos, encode_text(tokenizer, whole)))
    if n_bos > 1:
        yield _finding("double-bos", f"the row begins with {n_bos} {name!r} tokens")
    elif list(tokenizer(whole)["input_ids"])[:2] == [bos, bos]:
        yield _finding("double-bos", f"the template writes {name!r}, and the tokenizer adds one to any text", "warning")


def _check_control_tokens(tokenizer: "PreTrainedTokenizerBase", chat: Sequence[Message]) -> Iterator[Finding]:
    """Control tokens that the template writes and the vocabulary does not know."""
    blank = [{"role": message["role"], "content": "x"} for message in chat]
    written = dict.fromkeys(CONTROL_TOKEN.findall(render_chat(tokenizer, blank, add_generation_prompt=False)))
    split = {token: ids for token in written if len(ids := encode_text(tokenizer, token)) != 1}
    if not split:
        return
    token, ids = next(iter(split.items()))
    shown = f"{token!r} becomes {len(ids)} tokens: {_show(tokenizer, ids)}"
    if len(split) == len(written):
        yield _finding("wrong-template", f"the vocabulary knows no control token that the template writes; {shown}")
    else:
        # Mistral's first vocabularies spell [INST] in ordinary tokens, and were trained so.
        severity: Severity = "warning" if all(name.startswith("[") for name in split) else "error"
        evidence = f"{', '.join(map(repr, split))}: no token of its own; {shown}"
        yield _finding("split-control-token", evidence, severity)
