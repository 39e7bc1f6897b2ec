"""Chat templates of six model families, side by side: what a model really reads of a chat."""

import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.data.tokens.view import COLOURS, Kind
from course_utils.errors import ConfigurationError
from course_utils.prompts import Message

FOLDER = Path(__file__).parent / "chat_templates"
"""One ``<family>.jinja`` each, and a README that names the sources."""
CONTROL_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|</?think>|\[/?[A-Z]{3,}(?:_[A-Z]+)*\]"
)
"""How the families spell the tokens that give a chat its form."""


@dataclass(frozen=True)
class Family:
    """What a template of the family needs to know of its tokenizer, and where a system message goes."""

    bos: str
    eos: str
    system: str


FAMILIES = {
    "llama3": Family("<|begin_of_text|>", "<|eot_id|>", "a turn of its own"),
    "mistral": Family("<s>", "</s>", "opens the last user turn"),
    "phi": Family("<|endoftext|>", "<|endoftext|>", "a turn of its own"),
    "gemma": Family("<bos>", "<end_of_turn>", "opens the first user turn"),
    "qwen": Family("", "<|im_end|>", "a turn of its own"),
    "smollm": Family("<|im_start|>", "<|im_end|>", "a turn of its own; a default where there is none"),
}
"""``eos`` is the token at which generation stops after a reply. Gemma's tokenizer itself names ``<eos>``, which
its template never writes: set ``tokenizer.eos_token`` before training."""
_MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("llama3", ("<|start_header_id|>", "<|eot_id|>")),
    ("gemma", ("<start_of_turn>", "<end_of_turn>")),
    ("smollm", ("<|im_start|>", "SmolLM")),
    ("qwen", ("<|im_start|>", "<think>")),
    ("qwen", ("<|im_start|>", "<tool_call>")),
    ("chatml", ("<|im_start|>", "<|im_end|>")),
    ("phi", ("<|end|>", "<|assistant|>")),
)


@dataclass(frozen=True)
class RenderedChat:
    """A chat in one template: up to where the model goes on, what it then says, or why the template refuses."""

    prompt: str
    reply: str = ""
    refusal: str = ""

    @property
    def text(self) -> str:
        """All that the model reads and writes."""
        return self.prompt + self.reply


@dataclass(frozen=True)
class TemplateTable:
    """One chat in the templates of several families."""

    chats: dict[str, RenderedChat] = field(repr=False)

    def _repr_html_(self) -> str:
        cards = "".join(_card(family, chat) for family, chat in self.chats.items())
        meanings: dict[Kind, str] = {"special": "control token", "completion": "what the model writes"}
        legend = "".join(
            f'<span style="background:{COLOURS[kind]};color:#111;padding:0 4px">{meaning}</span> '
            for kind, meaning in meanings.items()
        )
        grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:12px"
        return f'<p>{legend}</p><div style="{grid}">{cards}</div>'


def _card(family: str, chat: RenderedChat) -> str:
    known = FAMILIES.get(family)
    note = f"system message: {known.system}" if known else ""
    if chat.refusal:
        shown = f"<i>refuses this chat: {html.escape(chat.refusal)}</i>"
    else:
        reply = f'<span style="background:{COLOURS["completion"]};color:#111">{_highlight(chat.reply)}</span>'
        shown = _highlight(chat.prompt) + (reply if chat.reply else "")
    text = f'<div style="font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere">{shown}</div>'
    return (
        '<div style="border:1px solid #999;border-radius:4px;padding:8px;text-align:left">'
        f"<b>{html.escape(family)}</b> <small>{note}</small>{text}</div>"
    )


def _highlight(text: str) -> str:
    """Control tokens in colour; a sign where a line ends, so that two line breaks differ from one."""
    parts, last = [], 0
    for found in CONTROL_TOKEN.finditer(text):
        parts += [html.escape(text[last : found.start()]), _control(found[0])]
        last = found.end()
    return "".join([*parts, html.escape(text[last:])]).replace("\n", "&crarr;\n")


def _control(token: str) -> str:
    style = f"background:{COLOURS['special']};color:#111;display:inline-block"
    return f'<span style="{style}">{html.escape(token)}</span>'


def read_template(family: str) -> str:
    """The chat template of one of ``FAMILIES``, in Jinja.

    Raises:
        ConfigurationError: The family is unknown.
    """
    if family not in FAMILIES:
        raise ConfigurationError(f"there is no chat template of {family!r}; choose one of {', '.join(FAMILIES)}")
    return (FOLDER / f"{family}.jinja").read_text("utf-8")


def render_templates(messages: Sequence[Message], templates: Mapping[str, str] | None = None) -> TemplateTable:
    """One chat as several models would read it.

    Rendered by Transformers, as training and generation do, with thinking off as in ``prompts``. Where
    the last message is the assistant's, it is shown as the reply to the prompt before it.

    Args:
        messages: The chat.
        templates: Jinja by family; those of all ``FAMILIES`` if left out.
    """
    chosen = {family: read_template(family) for family in FAMILIES} if templates is None else templates
    return TemplateTable({family: _render(messages, family, template) for family, template in chosen.items()})


def _render(messages: Sequence[Message], family: str, template: str) -> RenderedChat:
    from jinja2 import TemplateError

    known = FAMILIES.get(family) or FAMILIES.get(family_of(template))
    tokens = {"bos_token": known.bos, "eos_token": known.eos} if known else {}
    try:
        if messages[-1]["role"] != "assistant":
            return RenderedChat(render_chat(template, messages, add_generation_prompt=True, **tokens))
        prompt = render_chat(template, messages[:-1], add_generation_prompt=True, **tokens)
        whole = render_chat(template, messages, add_generation_prompt=False, **tokens)
    except TemplateError as error:
        return RenderedChat("", refusal=str(error))
    return RenderedChat(prompt, whole[len(prompt) :]) if whole.startswith(prompt) else RenderedChat(whole)


def render_chat(template: str, messages: Sequence[Message], *, add_generation_prompt: bool, **tokens: str) -> str:
    """Render one chat by Transformers' own Jinja, with thinking off.

    Args:
        template: In Jinja.
        messages: The chat.
        add_generation_prompt: End with the marker after which the model replies.
        tokens: ``bos_token`` and ``eos_token``, as far as the template writes them.

    Raises:
        jinja2.TemplateError: The template is no Jinja or refuses the messages.
    """
    from transformers.utils.chat_template_utils import render_jinja_template

    texts, _ = render_jinja_template(
        conversations=[list(messages)],
        chat_template=template,
        add_generation_prompt=add_generation_prompt,
        enable_thinking=False,
        **tokens,
    )
    return str(texts[0])


def family_of(template: str) -> str:
    """The family whose form a template gives to a chat: one of ``FAMILIES``, ``chatml`` or ``unknown``.

    Told by the control tokens in its source. Many models write ChatML; those count as Qwen's only where a
    chat comes out as Qwen's does.
    """
    if "[INST]" in template and "<<SYS>>" not in template:
        return "mistral"
    family = next((name for name, marks in _MARKS if all(mark in template for mark in marks)), "unknown")
    return "chatml" if family == "qwen" and not _renders_as_qwen(template) else family


def _renders_as_qwen(template: str) -> bool:
    from jinja2 import TemplateError

    chat = [{"role": role, "content": role.upper()} for role in ("system", "user", "assistant")]
    try:
        text = render_chat(template, chat, add_generation_prompt=False)
    except TemplateError:
        return False
    expected = render_chat(read_template("qwen"), chat, add_generation_prompt=False)
    return text in (expected, expected.replace("<think>\n\n</think>\n\n", ""))
