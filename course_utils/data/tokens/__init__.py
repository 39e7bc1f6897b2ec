"""Rows as the model meets them: as tokens, in the form that a chat template gives them."""

from course_utils.data.tokens.mistake import MISTAKES, Mistake, MistakeList
from course_utils.data.tokens.mistakes import template_mistakes
from course_utils.data.tokens.templates import (
    FAMILIES,
    TemplateTable,
    family_of,
    read_template,
    render_templates,
)
from course_utils.data.tokens.view import TokenView, token_view

__all__ = [
    "FAMILIES",
    "MISTAKES",
    "Mistake",
    "MistakeList",
    "TemplateTable",
    "TokenView",
    "family_of",
    "read_template",
    "render_templates",
    "template_mistakes",
    "token_view",
]
