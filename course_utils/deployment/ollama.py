"""Translate a tokenizer's chat template (Jinja) into Ollama's (Go).

A model that answers well in training and badly in Ollama usually has a hand-written template that differs in a newline.
This one is derived from what the tokenizer's template renders, and checked against it.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from course_utils.deployment.stack import CONTEXT
from course_utils.errors import ModelError
from course_utils.prompts import Message, render_chat

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROLES = ("system", "user", "assistant")
_MARKS = {"system": "«S»", "user": "«U»", "assistant": "«A»"}


@dataclass(frozen=True)
class TurnMarkers:
    """The text that a template writes around the turns of a conversation, by role."""

    start: str
    before: dict[str, str]
    after: dict[str, str]
    reply: str
    """The text that begins the model's turn."""
    default: str = ""
    """The text in place of a missing system message."""

    def render(self, messages: list[Message]) -> str:
        """Render a conversation up to where the model's reply begins."""
        turns = (self.before[m["role"]] + m["content"] + self.after[m["role"]] for m in messages)
        default = "" if messages[0]["role"] == "system" else self.default
        return f"{self.start}{default}{''.join(turns)}{self.reply}"


def write_modelfile(tokenizer: "PreTrainedTokenizerBase", gguf: str = "./model.gguf", context: int = CONTEXT) -> str:
    """The text of an Ollama Modelfile with the chat template of training.

    ``gguf`` is the model's path as Ollama sees it, ``context`` the number of tokens of prompt and reply together.

    Raises:
        ModelError: The template does more than put markers around turns, or lacks the BOS token that llama.cpp adds.
    """
    markers = read_markers(tokenizer)
    start, default = markers.start, markers.default
    bos = tokenizer.bos_token
    # If the tokenizer adds BOS to plain text, the converter sets add_bos_token, and llama.cpp adds BOS to every prompt.
    if bos and tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id:
        if not start.startswith(bos):
            remedy = "take it out of tokenizer.json's post_processor and convert again"
            raise ModelError(f"{tokenizer.name_or_path}: llama.cpp would begin with {bos}, unlike training; {remedy}")
        start = start.removeprefix(bos)
    if default:
        default = f'{{{{ if ne (index .Messages 0).Role "system" }}}}{default}{{{{ end }}}}'
    branches = "{{ else ".join(
        f'if eq .Role "{role}" }}}}{markers.before[role]}{{{{ .Content }}}}{markers.after[role]}' for role in ROLES
    )
    template = f"{start}{default}{{{{ range .Messages }}}}{{{{ {branches}{{{{ end }}}}{{{{ end }}}}{markers.reply}"
    return (
        f'FROM {gguf}\nTEMPLATE """{template}"""\n'
        f'PARAMETER stop "{tokenizer.eos_token}"\nPARAMETER temperature 0\nPARAMETER num_ctx {context}\n'
    )


def read_markers(tokenizer: "PreTrainedTokenizerBase") -> TurnMarkers:
    """Derive the markers by rendering small conversations.

    Raises:
        ModelError: Conversations that are rendered by the markers and by the template differ.
    """

    def render(*roles: str, reply: bool = False) -> str:
        messages = [{"role": role, "content": _MARKS[role]} for role in roles]
        return render_chat(tokenizer, messages, add_generation_prompt=reply)

    def after_last(role: str, text: str) -> str:
        return text.rpartition(_MARKS[role])[2]

    def between(first: str, second: str, text: str) -> str:
        return text.partition(_MARKS[first])[2].partition(_MARKS[second])[0]

    chat, with_system, reply = render("user", "assistant", "user"), render("system", "user"), render("user", reply=True)
    # Without add_generation_prompt, some templates end the text with EOS.
    user, answered = (
        text if chat.startswith(text) else text.removesuffix(str(tokenizer.eos_token))
        for text in (render("user"), render("user", "assistant"))
    )
    after = {"user": after_last("user", user), "assistant": after_last("assistant", answered)}
    before = {
        "user": between("assistant", "user", chat).removeprefix(after["assistant"]),
        "assistant": between("user", "assistant", chat).removeprefix(after["user"]),
    }
    alone = user.partition(_MARKS["user"])[0].removesuffix(before["user"])
    system = with_system.partition(_MARKS["system"])[0]
    start, bos = alone, str(tokenizer.bos_token or "")
    if not system.startswith(alone):  # there is a default message; only BOS, unless it begins each turn, precedes it
        start = bos if alone.startswith(bos) and system.startswith(bos) and not before["user"].startswith(bos) else ""
    before["system"] = system.removeprefix(start)
    after["system"] = between("system", "user", with_system).removesuffix(before["user"])
    markers = TurnMarkers(start, before, after, reply.removeprefix(user), alone.removeprefix(start))
    _check(tokenizer, markers)
    return markers


def _check(tokenizer: "PreTrainedTokenizerBase", markers: TurnMarkers) -> None:
    template = str(tokenizer.chat_template)
    # A template that accepts a date gets the one of TEMPLATE_OPTIONS.
    asked = "set date_string = strftime_now(" if "date_string is defined" in template else ""
    if template.count("strftime_now(") > (template.count(asked) if asked else 0):
        remedy = "take it out of the template and train again, or serve the model with llama.cpp"
        raise ModelError(f"{tokenizer.name_or_path}: its chat template writes today's date, unlike Ollama's; {remedy}")
    turns = [("system", "Be brief."), ("user", "One?"), ("assistant", "1"), ("user", "Two\n2?"), ("assistant", "2")]
    messages = [{"role": role, "content": text} for role, text in [*turns, ("user", "Three?")]]
    for conversation in (messages, messages[1:], messages[:2], messages[1:2]):
        wanted = render_chat(tokenizer, conversation, add_generation_prompt=True)
        if markers.render(conversation) != wanted:
            raise ModelError(
                f"{tokenizer.name_or_path}: its chat template does more than mark turns, which cannot be carried "
                f"over to Ollama automatically; for {conversation!r} it writes {wanted!r}"
            )
