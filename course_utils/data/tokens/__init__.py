"""Rows as the model meets them: as tokens, in the form that a chat template gives them."""

from course_utils.data.tokens.findings import template_findings
from course_utils.data.tokens.templates import FAMILIES, render_templates
from course_utils.data.tokens.view import token_view

__all__ = ["FAMILIES", "render_templates", "template_findings", "token_view"]
