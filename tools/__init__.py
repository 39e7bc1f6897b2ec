"""What authors need and learners do not: how data, tiny model and committed outputs are made."""
