"""Refresh the committed notebooks' outputs, and check the rules that all notebooks follow."""
