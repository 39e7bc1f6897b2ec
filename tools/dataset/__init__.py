"""Make the course's own dataset: databases from declarations, questions from a grammar and from people."""
