"""Rows as a model reads them: rendered by a chat template, and as tokens."""
