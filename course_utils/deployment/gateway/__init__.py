"""The HTTP gateway: applications reach the model and the databases through it alone."""
