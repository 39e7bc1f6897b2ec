"""JSON as the standard has it: no key twice, no NaN, no numbers or nesting that others cannot read."""

import json
import math
import re
from typing import Any

from course_utils.data.formats.record import Misfit

MAX_DEPTH = 64
MAX_DIGITS = 4_300
"""Python's own limit for reading a whole number: more digits take quadratic time."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def decode_value(text: str, begin: int = 0) -> tuple[Any, int]:
    """One JSON value and the position behind it.

    Args:
        text: Holds the value from ``begin`` on, with no space before it.
        begin: A position.

    Raises:
        Misfit: There is none, or it is not what the standard has.
    """
    try:
        value, end = _STRICT.raw_decode(text, begin)
    except json.JSONDecodeError as error:
        raise Misfit(_why_broken(error)) from error
    except RecursionError as error:
        raise Misfit(_TOO_DEEP) from error
    except Misfit:
        raise
    except ValueError as error:
        raise Misfit(f"a number of more than {MAX_DIGITS:,} digits; write it as text") from error
    if text.count("[", begin, end) + text.count("{", begin, end) > MAX_DEPTH and is_deep(value):
        raise Misfit(_TOO_DEEP)
    if _SURROGATE.search(text, begin, end) and not is_unicode(json.dumps(value, ensure_ascii=False)):
        raise Misfit("half of a surrogate pair, which is no character; correct the \\u escape")
    return value, end


def skip_value(text: str, begin: int) -> int:
    """The position behind a value that only our own rules refuse.

    Raises:
        Misfit: It is no JSON at all, so that nobody knows where it ends.
    """
    try:
        return _LENIENT.raw_decode(text, begin)[1]
    except (ValueError, RecursionError) as error:
        raise Misfit("the rest was not read") from error


def decode_line(text: str) -> Any:
    """The one JSON value on a line.

    Raises:
        Misfit: There is none or more than one, or it is not what the standard has.
    """
    content = text.strip(" \t\r\n")
    value, end = decode_value(content)
    if end == len(content):
        return value
    rest = content[end:].lstrip()
    if "\r" in content and rest[0] in "{[":
        raise Misfit("lines end in CR alone; save the file with LF line ends")
    if rest[0] in "{[,":
        raise Misfit(f"not JSON alone (more follows at column {end + 1}); write one row per line, no comma between")
    raise Misfit(f"not JSON (more follows at column {end + 1}); fix the line")


def is_unicode(text: str) -> bool:
    """Whether text has no lone surrogate, so that it can be written as UTF-8."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def is_deep(value: Any) -> bool:
    """Whether lists and objects nest more than ``MAX_DEPTH`` levels; looks without recursion."""
    level, depth = [value], 0
    while level:
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        depth += 1
        if depth > MAX_DEPTH + 1:
            return True
    return False


def _why_broken(error: json.JSONDecodeError) -> str:
    text, at = error.doc, error.pos
    where = f"at column {error.colno}"
    if "trailing comma" in error.msg or (text[at : at + 1] in ("}", "]") and text[:at].rstrip().endswith(",")):
        return f"not JSON (a comma too many {where}); remove it"
    if at >= len(text.rstrip()) or error.msg.startswith("Unterminated string"):
        return f"not JSON (cut off: {error.msg[0].lower()}{error.msg[1:]} {where}); write the row whole"
    return f"not JSON ({error.msg} {where}); fix the line"


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Misfit(f'the key "{twice}" comes twice in one object; keep one of them')
    return fields


def _constant(name: str) -> float:
    raise Misfit(f"{name} is no JSON number; write null or a number")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise Misfit(f"the number {digits[:20]} is too large; write a smaller one, or text")
    return value


_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels; flatten the row"
_STRICT = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)
_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str)
