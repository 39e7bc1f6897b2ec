"""JSON as its standard has it. Python's parser takes more, which fails later, where the value is written again."""

import json
import math
from typing import Any, NoReturn

_MAX_DEPTH = 32


def read_json(raw: bytes, *, errors: str = "strict") -> Any:
    """Parse UTF-8; ``errors`` says what becomes of half a character (a lone surrogate), as for ``str.encode``.

    Raises:
        JSONDecodeError: It is not JSON, a number in it is not finite, or it is nested too deeply.
    """
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if "\\u" in text:  # only an escape can hide half a character
            value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors=errors))
        if _depth(value) > _MAX_DEPTH:
            raise ValueError(f"nested more than {_MAX_DEPTH} deep")
    except (ValueError, RecursionError) as error:
        raise json.JSONDecodeError(getattr(error, "msg", str(error)), "", 0) from error
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text[:20]} is no number of JSON")


def _finite(text: str) -> float:
    return number if math.isfinite(number := float(text)) else _refuse(text)


def _depth(value: object) -> int:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if children is None else 1 + max(map(_depth, children), default=0)
