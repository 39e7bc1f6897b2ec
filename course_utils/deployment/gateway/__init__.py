"""The gateway: the one door through which applications reach model and databases."""
