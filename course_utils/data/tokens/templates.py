"""Chat templates of six model families, side by side: what a model really reads of a chat."""

import html
import re
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from course_utils.data.tokens.view import coloured
from course_utils.prompts import TEMPLATE_OPTIONS, Message

FOLDER = Path(__file__).parent / "chat_templates"
"""One ``<family>.jinja`` each, ``families.toml``, and a README that names the sources."""
CONTROL_TOKEN = re.compile(
    r"<\|[^|<>\s]{1,40}\|>|</?s>|<(?:bos|eos|pad|unk|start_of_turn|end_of_turn)>|</?think>|\[/?[A-Z]{3,}(?:_[A-Z]+)*\]"
)
"""How the families spell the tokens that give a chat its form."""


class Family(NamedTuple):
    """What a template of the family needs to know of its tokenizer, and where a system message goes."""

    bos: str
    eos: str
    system: str


FAMILIES = {
    name: Family(**facts) for name, facts in tomllib.loads((FOLDER / "families.toml").read_text("utf-8")).items()
}


class RenderedTemplates(dict[str, tuple[str, str]]):
    """By family, what a model reads of one chat, or why its template refuses it, and what the model then writes."""

    def _repr_html_(self) -> str:
        cards = "".join(
            '<div style="border:1px solid #999;border-radius:4px;padding:8px;text-align:left">'
            f"<b>{family}</b> <small>system message: {FAMILIES[family].system}</small>"
            '<div style="font-family:monospace;white-space:pre-wrap;overflow-wrap:anywhere">'
            f"{_highlight(prompt)}{coloured('completion', _highlight(reply))}</div></div>"
            for family, (prompt, reply) in self.items()
        )
        legend = f"{coloured('special', 'control token')} {coloured('completion', 'what the model writes')}"
        grid = "display:grid;grid-template-columns:repeat(auto-fit,minmax(270px,1fr));gap:12px"
        return f'<p>{legend}</p><div style="{grid}">{cards}</div>'


def _highlight(text: str) -> str:
    """Control tokens in colour; a sign where a line ends, so that two line breaks differ from one."""
    parts = enumerate(re.split(f"({CONTROL_TOKEN.pattern})", text))  # every second one is a control token
    shown = (coloured("special", html.escape(part)) if i % 2 else html.escape(part) for i, part in parts)
    return "".join(shown).replace("\n", "&crarr;\n")


def read_template(family: str) -> str:
    """The chat template of one of ``FAMILIES``, in Jinja."""
    return (FOLDER / f"{family}.jinja").read_text("utf-8")


def render_templates(messages: Sequence[Message]) -> RenderedTemplates:
    """One chat as models of all ``FAMILIES`` would read it, rendered by Transformers as in training and generation.

    Where the last message is the assistant's, it is shown as the reply to the prompt before it.
    """
    from jinja2 import TemplateError

    has_reply, rendered = messages[-1]["role"] == "assistant", RenderedTemplates()
    for family in FAMILIES:
        try:
            prompt = _render(family, messages[:-1] if has_reply else messages, add_generation_prompt=True)
            whole = _render(family, messages, add_generation_prompt=False) if has_reply else prompt
            rendered[family] = prompt, whole.removeprefix(prompt)
        except TemplateError as error:
            rendered[family] = f"refuses this chat: {error}", ""
    return rendered


def _render(family: str, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
    """Without a tokenizer; where there is one, ``prompts.render_chat`` does it."""
    from transformers.utils.chat_template_utils import render_jinja_template

    texts, _ = render_jinja_template(
        conversations=[list(messages)],
        chat_template=read_template(family),
        add_generation_prompt=add_generation_prompt,
        bos_token=FAMILIES[family].bos,
        eos_token=FAMILIES[family].eos,
        **TEMPLATE_OPTIONS,
    )
    return str(texts[0])
