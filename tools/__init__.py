"""Programs for the course's authors: they make the dataset, the tiny model and the notebooks' committed outputs."""
