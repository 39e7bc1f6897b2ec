"""Rows as the model meets them: as tokens."""
