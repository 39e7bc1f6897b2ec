"""Personal data and profanity: find them, replace people by consistent pseudonyms, look again."""
