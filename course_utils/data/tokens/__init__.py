"""Rows as the model meets them: as tokens, in the form that a chat template gives them."""
