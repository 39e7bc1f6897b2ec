"""The names of the validation's checks; findings themselves are those of ``course_utils.finding``."""

from course_utils.finding import SEVERITIES, Finding, Severity, printable, quoted

__all__ = ["CHECKS", "SEVERITIES", "Finding", "Problem", "Severity", "printable", "quoted"]

Problem = Finding
CHECKS: tuple[str, ...] = (
    "schema",
    "encoding",
    "template",
    "syntax",
    "execution",
    "empty-result",
    "constant-result",
    "enormous-result",
    "exact-duplicate",
    "near-duplicate",
    "leak-exact",
    "leak-near",
    "leak-skeleton",
    "contradiction",
    "personal-data",
    "profanity",
    "length",
    "label-balance",
    "diversity",
)
"""Every check's name; the list is closed."""
