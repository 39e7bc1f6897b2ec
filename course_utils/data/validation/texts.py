"""Every check that reads a row's own texts and nothing else, as one pure function that any engine can map.

Traces of a chat template are found here: the prompt module alone adds the template. Markers that are already in the
text come out doubled, and a model learns to write fences and greetings where a query should stand.
"""

import re
from collections.abc import Collection, Iterator

from course_utils.data.encoding import encoding_findings
from course_utils.data.privacy.detect import Detector, personal_data_findings
from course_utils.data.privacy.profanity import profanity_findings
from course_utils.finding import Finding, quoted

TEXT_CHECKS = ("encoding", "template", "personal-data", "profanity")
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


def text_findings(
    question: str,
    query: str,
    checks: Collection[str] = TEXT_CHECKS,
    allowed: Collection[str] = frozenset(),
    pii: Detector = "patterns",
) -> list[Finding]:
    """What is wrong with a question and its query as texts.

    Args:
        question: In plain words.
        query: SQL, or any other answer.
        checks: Names from ``TEXT_CHECKS``; others are passed over.
        allowed: What is no personal data, in lower case: the values of the row's database.
        pii: What looks for personal data, ``patterns`` or ``presidio``.

    Raises:
        MissingExtraError: The detector's package is not installed.
    """
    fields = {"question": question, "query": query}
    findings: list[Finding] = []
    if "encoding" in checks:
        findings += [found for name, text in fields.items() for found in encoding_findings(text, name)]
    if "template" in checks:
        findings += _template_findings(question, query)
    if "personal-data" in checks:
        findings += [
            found for name, text in fields.items() for found in personal_data_findings(text, name, allowed, pii)
        ]
    if "profanity" in checks:
        findings += [found for name, text in fields.items() for found in profanity_findings(text, name)]
    return findings


def _template_findings(question: str, query: str) -> Iterator[Finding]:
    """Template markers in either text, and fences or prose around the query."""
    for name, text in (("question", question), ("query", query)):
        if found := MARKERS.search(text):
            reason = f'"{name}" has the template marker {quoted(found[0].strip())}'
            yield Finding("template", "error", reason, "keep the text alone, prompts.py adds it")
    if FENCE.search(query):
        yield Finding("template", "error", f'"query" has a code fence: {quoted(query)}', "keep the SQL alone")
    if MANNERS.search(query):
        yield Finding("template", "error", f'"query" begins with prose: {quoted(query)}', "keep the SQL alone")
    if FENCE.search(question):
        yield Finding("template", "warning", '"question" has a code fence', "ask in plain words")
