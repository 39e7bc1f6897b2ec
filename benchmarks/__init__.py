"""Measurements of the course, and their results with the machine they came from."""
