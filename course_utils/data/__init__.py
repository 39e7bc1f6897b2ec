"""The data room: build, check and split the examples."""
