"""What a model is taught: a task is one small object, so that training and evaluation know no task by name."""

from course_utils.tasks.task import Task
from course_utils.tasks.text_to_sql import CountQuestion, count_questions, text_to_sql
from course_utils.tasks.ticket_triage import LABELS, PRIORITIES, parse_triage, ticket_triage

__all__ = [
    "LABELS",
    "PRIORITIES",
    "CountQuestion",
    "Task",
    "count_questions",
    "parse_triage",
    "text_to_sql",
    "ticket_triage",
]
