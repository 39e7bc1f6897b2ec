"""The secret that pseudonyms are derived from."""

import hmac
import os
import random
from dataclasses import dataclass

from course_utils.errors import ConfigurationError

VARIABLE = "COURSE_PSEUDONYM_KEY"
MIN_CHARACTERS = 16


@dataclass(frozen=True, repr=False)
class PseudonymKey:
    """A secret of at least ``MIN_CHARACTERS``; there is no default.

    Who has it can test a guess ("is this Anna Schmidt?"), so keep it as safe as the mapping.
    """

    secret: str

    def __post_init__(self) -> None:
        if len(self.secret) < MIN_CHARACTERS:
            raise ConfigurationError(
                f"the pseudonym key has fewer than {MIN_CHARACTERS} characters; set {VARIABLE} to a random one: "
                'python -c "import secrets; print(secrets.token_hex(32))"'
            )

    def __repr__(self) -> str:
        return "PseudonymKey(secret='***')"

    @classmethod
    def from_environment(cls) -> "PseudonymKey":
        """The key in ``COURSE_PSEUDONYM_KEY``.

        Raises:
            ConfigurationError: It is not set, or too short.
        """
        return cls(os.environ.get(VARIABLE, ""))

    def chances(self, *parts: str) -> random.Random:
        """A source of choices that depends on the key and the parts alone (HMAC-SHA256)."""
        message = "\0".join(parts).encode("utf-8", "surrogatepass")
        return random.Random(hmac.digest(self.secret.encode("utf-8"), message, "sha256"))
