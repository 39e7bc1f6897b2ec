"""The committed notebooks: their outputs, and what all of them have in common."""
