"""Find faults of chat templates before a model is trained on the text that they write.

``prompts.encode_example`` refuses some of them with an error; here each fault gets a name, evidence and a fix, also
those that training would not notice.
"""

from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import TYPE_CHECKING

from course_utils.data.tokens.display import CONTROL_TOKEN, token_bytes, visible
from course_utils.errors import ModelError
from course_utils.finding import Finding, Findings, Severity
from course_utils.prompts import Message, encode_text, render_chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

FIXES = {
    "no-template": "choose an instruct model; if its template refuses a role, put that text into the user message",
    "message-dropped": "put the instruction into the user message, or use the template of the model's own repository",
    "double-bos": "let the template write bos_token once, and tokenize its text with add_special_tokens=False",
    "missing-eos": "set tokenizer.eos_token to the token that ends a turn, or let the template write it after a reply",
    "pad-is-eos": "give tokenizer.pad_token a token of its own, as models.load_tokenizer does",
    "prompt-changed": "use a template that writes the same text up to the reply, with a control token before the reply",
    "wrong-template": "use the model's own chat template, or add its tokens and train their embeddings",
    "injected-control-token": "remove control tokens from the text before the template is applied",
}
"""The fix of each check."""
N_SHOWN = 8
"""Tokens of each part of a prompt that a finding shows at most."""


def template_findings(tokenizer: "PreTrainedTokenizerBase", messages: Sequence[Message], completion: str) -> Findings:
    """Findings on how a tokenizer and its chat template turn a prompt (``messages``) and a reply into tokens.

    An ``error`` would harm training.
    """
    chat = [*messages, {"role": "assistant", "content": completion.strip()}]
    found = Findings(_check_contents(tokenizer, chat))
    if tokenizer.eos_token_id is not None and tokenizer.pad_token_id == tokenizer.eos_token_id:
        evidence = f"padding and the end of a reply are both {tokenizer.eos_token!r} (id {tokenizer.eos_token_id}); "
        evidence += "hiding padding from the loss hides the end of the reply too, so the model never learns to stop"
        found.append(_finding("pad-is-eos", evidence))
    try:
        prompt = render_chat(tokenizer, messages, add_generation_prompt=True)
        whole = render_chat(tokenizer, chat, add_generation_prompt=False)
    except ModelError as error:
        return Findings([*found, _finding("no-template", str(error))])
    for message in chat:
        text = message["content"].strip()
        if text not in whole or (message is not chat[-1] and text not in prompt):
            found.append(_finding("message-dropped", f"the template leaves out the {message['role']} message"))
    found += _check_ids(tokenizer, chat[-1]["content"], prompt, whole)
    found += _check_control_tokens(tokenizer, chat)
    return found


def _finding(check: str, evidence: str, severity: Severity = "error") -> Finding:
    return Finding(check, severity, evidence, FIXES[check])


def _check_contents(tokenizer: "PreTrainedTokenizerBase", chat: Sequence[Message]) -> Iterator[Finding]:
    """Control tokens in the messages' own texts."""
    added = tokenizer.added_tokens_decoder.items()
    control = {i: token.content for i, token in added if token.special or CONTROL_TOKEN.fullmatch(token.content)}
    for message in chat:
        if hits := [i for i in encode_text(tokenizer, message["content"]) if i in control]:
            yield _finding(
                "injected-control-token",
                f"the text of the {message['role']} message holds {control[hits[0]]!r}, which becomes the control "
                f"token {hits[0]}: whoever writes the text can end this turn and begin another one",
            )


def _check_ids(tokenizer: "PreTrainedTokenizerBase", reply: str, prompt: str, whole: str) -> Iterator[Finding]:
    """Faults of the token ids: a prompt that changes when a reply follows, an end without a label, BOS twice."""
    asked, taught = encode_text(tokenizer, prompt), encode_text(tokenizer, whole)
    n_same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(asked, taught, strict=False)))
    before_reply, found, _ = tokenizer.decode(taught[n_same:]).partition(reply)
    if n_same < len(asked) or (found and before_reply.strip()):
        parts = asked[:n_same][-N_SHOWN:], asked[n_same:][:N_SHOWN], taught[n_same:][:N_SHOWN]
        before, when_asked, when_taught = (_show(tokenizer, part) for part in parts)
        yield _finding(
            "prompt-changed",
            f"the prompt has another form in generation than in training: after {before} comes {when_asked} in "
            f"generation, and {when_taught} in training",
        )
    labelled = taught[len(asked) :]
    if labelled and tokenizer.eos_token_id not in labelled:
        last = _show(tokenizer, labelled[-2:])
        yield _finding(
            "missing-eos",
            f"no {tokenizer.eos_token!r} among the labels; the last are {last}, so the model is never taught to stop",
        )
    if tokenizer.bos_token and taught[:2] == [tokenizer.bos_token_id] * 2:
        yield _finding("double-bos", f"the row begins with two {tokenizer.bos_token!r} tokens")


def _check_control_tokens(tokenizer: "PreTrainedTokenizerBase", chat: Sequence[Message]) -> Iterator[Finding]:
    """Control tokens that the template writes but the vocabulary lacks."""
    blank = [{"role": message["role"], "content": "x"} for message in chat]
    written = dict.fromkeys(CONTROL_TOKEN.findall(render_chat(tokenizer, blank, add_generation_prompt=False)))
    split = {token: ids for token in written if len(ids := encode_text(tokenizer, token)) != 1}
    for token, ids in [*split.items()][:1]:
        evidence = f"the template writes {', '.join(map(repr, split))}, for which the vocabulary has no token: "
        evidence += f"{token!r} becomes {len(ids)} tokens: {_show(tokenizer, ids)}"
        # Mistral's first models were trained with [INST] spelled in ordinary tokens.
        yield _finding("wrong-template", evidence, "warning" if all(name[0] == "[" for name in split) else "error")


def _show(tokenizer: "PreTrainedTokenizerBase", token_ids: Sequence[int]) -> str:
    return " ".join(f"'{visible(raw)}'" for raw in token_bytes(tokenizer, token_ids)) or "nothing"
