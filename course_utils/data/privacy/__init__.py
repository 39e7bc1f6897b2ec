"""Personal data and profanity: find them, replace people by consistent pseudonyms, look again.

Modules are imported by name, so that one who looks for profanity loads no pseudonyms.
"""
