"""English grammar that the dataset's questions and the tiny model's pretraining text share."""


def plural(noun: str) -> str:
    """The regular English plural of the last word: ``city`` becomes ``cities``."""
    if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou"):
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh", "z")) else "s")
