"""The strong kinds: addresses of machines and mail, numbers with check digits, keys.

Phone numbers are in ``phones.py``, because a numbering plan tells them, not a form.
"""

import ipaddress
import re
from collections.abc import Callable

from course_utils.data.privacy import checksums
from course_utils.data.privacy.kinds import Kind
from course_utils.data.privacy.pattern import Pattern, anything

_I = re.IGNORECASE
_AT, _DOT = re.compile(r"\s?[\[({]\s?at\s?[\])}]\s?"), re.compile(r"\s?(?:[\[({]\s?(?:dot|punkt)\s?[\])}]|\.)\s?")
_RESERVED = re.compile(r"[@.](?:example\.(?:com|net|org)|example|test|invalid|localhost)$")


def is_outside_address(text: str) -> bool:
    """An IP address that may be somebody's: not this machine's own, no mask, no broadcast."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (
        address.is_loopback or address.is_unspecified or address.is_multicast or text.startswith(("0.", "255."))
    )


def is_outside_mailbox(text: str) -> bool:
    """An e-mail address that may be somebody's: not in a domain that RFC 2606 keeps for examples and tests.

    Args:
        text: The address, as it is or with ``[at]`` and ``[dot]``.
    """
    plain = _DOT.sub(".", _AT.sub("@", text.lower()))
    return not _RESERVED.search(plain)


def _is_password(text: str) -> bool:
    """Letters and digits or signs together, as no word and no number has them."""
    has_both = re.search(r"[A-Za-z]", text) and re.search(r"[\d!#$%&*+?@^_-]", text)
    return bool(has_both) and not re.fullmatch(r"[A-Za-z]+[-_][A-Za-z_-]+", text)


def _is_ipv6(text: str) -> bool:
    return len(text) > 5 and bool(re.search(r"\d", text)) and is_outside_address(text)


def _has_letters(text: str) -> bool:
    return not text.replace(".", "").isdigit()


_SECRETS = (
    r"(?P<it>-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:[\s\S]*?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?)",
    r"\b(?P<it>(?:AKIA|ASIA|AGPA|AIDA|AROA)[0-9A-Z]{16})\b",  # AWS
    r"\b(?P<it>gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}|hf_[A-Za-z0-9]{30,})",
    r"\b(?P<it>sk-[A-Za-z0-9_-]{20,}|[sr]k_(?:live|test)_[A-Za-z0-9]{16,}|xox[abeoprs]-[\w-]{10,})",
    r"\b(?P<it>AIza[\w-]{35}|eyJ[\w-]{6,}\.eyJ[\w-]{6,}\.[\w-]{6,})",  # Google, JWT
)
_ANNOUNCED_SECRET = (
    r"\b(?:password|passwd|pwd|passphrase|secret|api[ _-]?key|access[ _-]?(?:key|token))\b(?:\s+is|\s*[:=])\s*['\"]?"
    r"(?P<it>[^\s'\",;]{6,})"
)
_EMAIL = (
    r"(?<![\w.+%/:-])(?P<it>[\w+%](?:[\w.+%'-]{0,62}[\w+%-])?"
    r"@(?:[^\W_](?:[\w-]*[^\W_])?\.)+(?:xn--[a-z0-9-]+|[^\W\d_]{2,}))(?![\w@])"
)
_HIDDEN_EMAIL = (
    r"(?<![\w.+-])(?P<it>[\w.+-]{1,64}\s?[\[({]\s?at\s?[\])}]\s?[\w-]+"
    r"(?:\s?(?:\.|[\[({]\s?(?:dot|punkt)\s?[\])}])\s?\w+)+)"
)
_IPV4 = (
    r"(?<![\w.])(?<!version\s)(?<!release\s)(?<!section\s)(?<!chapter\s)(?<!build\s)"
    r"(?P<it>\d{1,3}(?:\.\d{1,3}){3})(?![\w-]|\.\d)"
)
# By country, because the words after an account could belong to it: "DE89 ... 3000 in May".
_BBAN = "|".join(rf"{country}\d\d(?:[ -]?[A-Z0-9]){{{n - 4}}}" for country, n in checksums.IBAN_LENGTH.items())
_IBAN = rf"(?<![A-Z0-9])(?P<it>{_BBAN})(?![A-Z0-9])"
_SSN_WORDS = r"\b(?:ssn|social security(?: number| no\.?)?)\b\W*(?:is|was|=|:)?\W*(?P<it>\d{9})\b"
_TAX_WORDS = (
    r"\b(?:steuer-?id(?:nr)?|steueridentifikationsnummer|idnr|tin|tax (?:id|number|identification number))\b"
    r"\W*(?:is|=|:)?\W*(?P<it>\d{11})\b"
)
_NIR = r"(?<![\w.-])(?P<it>[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?\d\d ?\d{3} ?\d{3} ?\d\d)(?![\w.-]*\d)"

_TABLE: tuple[tuple[Kind, float, str, Callable[[str], bool], int], ...] = (
    ("secret", 0.8, _ANNOUNCED_SECRET, _is_password, _I),
    ("url_credentials", 1.0, r"\b[a-z][a-z0-9+.-]{0,15}://(?P<it>[^\s/:@'\"]+:[^\s/@'\"]+)@[\w.-]+", anything, _I),
    ("email", 1.0, _EMAIL, is_outside_mailbox, _I),
    ("email", 0.9, _HIDDEN_EMAIL, is_outside_mailbox, _I),
    ("iban", 1.0, _IBAN, checksums.is_iban, _I),
    ("card", 1.0, r"(?<![\w.,-])(?P<it>\d(?:[ -]?\d){11,18})(?![\w-]|[.,]\d)", checksums.is_card, 0),
    (
        "mac",
        1.0,
        r"(?<![\w:-])(?P<it>[0-9a-f]{2}(?P<s>[:-])(?:[0-9a-f]{2}(?P=s)){4}[0-9a-f]{2})(?![\w:-])",
        anything,
        _I,
    ),
    ("mac", 1.0, r"(?<![\w.])(?P<it>[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4})(?![\w.])", _has_letters, _I),
    ("ip", 0.9, _IPV4, is_outside_address, _I),
    ("ip", 0.9, r"(?<![\w:.])(?P<it>(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4})(?![\w:-])", _is_ipv6, _I),
    ("ssn", 0.9, r"(?<![\w.-])(?P<it>\d{3}(?P<s>[- ])\d\d(?P=s)\d{4})(?![\w-]|\.\d)", checksums.is_ssn, 0),
    ("ssn", 0.9, _SSN_WORDS, checksums.is_ssn, _I),
    ("national_id", 0.95, r"\b(?P<it>\d{8}-?[A-Z]|[XYZ]-?\d{7}-?[A-Z])\b", checksums.is_spanish_id, 0),
    ("national_id", 0.95, r"\b(?P<it>[A-Z]{2} ?\d\d ?\d\d ?\d\d ?[A-D])\b", checksums.is_british_nino, 0),
    ("national_id", 0.95, r"\b(?P<it>[A-Z]{6}\d\d[A-Z]\d\d[A-Z]\d{3}[A-Z])\b", checksums.is_italian_code, _I),
    ("national_id", 0.95, _NIR, checksums.is_french_nir, 0),
    ("national_id", 0.9, r"(?<![\w.-])(?P<it>(?:19|20)?\d{6}-\d{4})(?![\w-])", checksums.is_swedish_id, 0),
    ("national_id", 0.9, r"(?<![\w.-])(?P<it>\d\d \d{3} \d{3} \d{3})(?![\w-])", checksums.is_german_tax_id, 0),
    ("national_id", 0.9, _TAX_WORDS, checksums.is_german_tax_id, _I),
    ("national_id", 0.9, r"\bpesel\b\W*(?:number|is|no\.?)?\W*(?P<it>\d{11})\b", checksums.is_polish_pesel, _I),
)
NUMBER_PATTERNS: tuple[Pattern, ...] = (
    *(Pattern("secret", 1.0, re.compile(regex)) for regex in _SECRETS),
    *(Pattern(kind, score, re.compile(regex, flags), valid) for kind, score, regex, valid, flags in _TABLE),
)
