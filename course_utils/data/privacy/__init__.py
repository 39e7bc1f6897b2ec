"""Find, report and replace personal data, and report profanity."""
