"""Personal data and profanity; modules are imported by name, so that one who looks for one loads not the other."""
