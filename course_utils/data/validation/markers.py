"""Traces of chat templates in a row's texts: the prompt module alone adds the template.

Markers that are already in the text come out doubled, and a model learns to write fences and greetings where a query
should stand.
"""

import re
from collections.abc import Iterator

from course_utils.finding import Finding, Severity, quoted

MARKERS = re.compile(
    r"<\|(?:im_start|im_end|endoftext|begin_of_text|end_of_text|start_header_id|end_header_id|eot_id|user|assistant"
    r"|system|end)\|>|</?s>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<bos>|<eos>|</?think>"
    r"|(?:^|\n)\s*#{2,}\s*(?:instruction|input|response|question|answer|sql)\s*:?\s*(?:\n|$)"
    r"|#{3}\s*(?:instruction|input|response)\s*:"
    r"|(?:^|\n)\s*(?:USER|ASSISTANT|SYSTEM|HUMAN|User|Assistant|Human|System)\s*:",
    re.IGNORECASE,
)
"""Markers of ChatML, Llama 2 and 3, Mistral, Gemma, Phi, Alpaca and Vicuna."""
FENCE = re.compile(r"```|~~~")
MANNERS = re.compile(
    r"^\s*(?:sure|certainly|of course|okay|here(?:'s| is| are)|the (?:sql )?query (?:is|would be)|to answer|you can use"
    r"|sql\s*:|sqlquery\s*:|answer\s*:|i\b)",
    re.IGNORECASE,
)


def marker_findings(text: str, name: str) -> Iterator[Finding]:
    """Template markers and code fences in one text, and prose in front of a query; `name` is its field's."""
    if found := MARKERS.search(text):
        reason = f'"{name}" has the template marker {quoted(found[0].strip())}'
        yield Finding("template", "error", reason, "keep the text alone, prompts.py adds it")
    if FENCE.search(text):
        severity: Severity = "error" if name == "query" else "warning"
        yield Finding("template", severity, f'"{name}" has a code fence: {quoted(text)}', "keep the text alone")
    if name == "query" and MANNERS.search(text):
        yield Finding("template", "error", f'"query" begins with prose: {quoted(text)}', "keep the SQL alone")
