"""Traces of a chat template or of an assistant's manners inside a question or a query.

The prompt module alone adds the template. Markers that are already in the text come out doubled, and a model learns
to write fences and greetings where a query should stand.
"""

import re

from course_utils.data.finding import Problem, quoted

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


def template_problems(question: str, query: str) -> list[Problem]:
    """Template markers in either text, and fences or prose around the query."""
    problems = []
    for name, text in (("question", question), ("query", query)):
        if found := MARKERS.search(text):
            marker = quoted(found[0].strip())
            problems.append(
                _error(f'"{name}" has the template marker {marker}', "keep the text alone, prompts.py adds it")
            )
    if FENCE.search(query):
        problems.append(_error(f'"query" has a code fence: {quoted(query)}', "keep the SQL alone"))
    if found := MANNERS.search(query):
        problems.append(_error(f'"query" begins with prose: {quoted(query)}', "keep the SQL alone"))
    if FENCE.search(question):
        problems.append(Problem("template", "warning", '"question" has a code fence', "ask in plain words"))
    return problems


def _error(reason: str, fix: str) -> Problem:
    return Problem("template", "error", reason, fix)
