from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from course_utils.models import load_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return load_tokenizer("data/tiny_base")


@pytest.fixture(scope="session")
def with_template(tokenizer: Any) -> Callable[..., Any]:
    """The tiny model's tokenizer with another template, other special tokens and more control tokens."""

    def make(template: str, control: set[str] = frozenset(), **special: str) -> Any:
        made = deepcopy(tokenizer)
        made.chat_template = template
        made.add_tokens(sorted(control), special_tokens=True)
        if named := {name: token for name, token in special.items() if token}:
            made.add_special_tokens(named)
        return made

    return make
