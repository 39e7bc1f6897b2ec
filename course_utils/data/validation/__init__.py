"""Check a dataset: what is wrong, where, how bad it is and what to do."""
