"""Every check that reads a row's own texts and nothing else, as one pure function that any engine can map."""

from collections.abc import Collection, Iterable

from course_utils.data.finding import Problem
from course_utils.data.privacy.detect import personal_data_problems
from course_utils.data.privacy.profanity import profanity_problems
from course_utils.data.validation.encoding import encoding_problems
from course_utils.data.validation.rows import Row
from course_utils.data.validation.template import template_problems

TEXT_CHECKS = ("encoding", "template", "personal-data", "profanity")


def text_problems(
    question: str, query: str, checks: Collection[str] = TEXT_CHECKS, allowed: Collection[str] = frozenset()
) -> list[Problem]:
    """What is wrong with a question and its query as texts.

    Args:
        question: In plain words.
        query: SQL, or any other answer.
        checks: Names from ``TEXT_CHECKS``; others are passed over.
        allowed: What is no personal data, in lower case: the values of the row's database.
    """
    problems: list[Problem] = []
    if "encoding" in checks:
        problems += [*encoding_problems(question, "question"), *encoding_problems(query, "query")]
    if "template" in checks:
        problems += template_problems(question, query)
    if "personal-data" in checks:
        problems += personal_data_problems(question, query, allowed)
    if "profanity" in checks:
        problems += profanity_problems(question, query)
    return problems


def check_texts(rows: Iterable[Row], checks: Collection[str] = TEXT_CHECKS) -> list[list[Problem]]:
    """``text_problems`` of rows that have no database, in their order."""
    return [text_problems(row["question"], row["query"], checks) for row in rows]
