import pytest

from course_utils.data.validation.settings import Settings
from course_utils.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": ("syntax", "speling")}, "check speling is unknown; choose from schema, encoding"),
        ({"num_proc": 0}, "num_proc=0 is not above 0"),
        ({"max_length": -1}, "max_length=-1 is not above 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Settings(**options)  # type: ignore[arg-type]


def test_wants_any_of_the_checks() -> None:
    assert Settings(checks=("syntax",)).wants("length", "syntax")
    assert not Settings(checks=("syntax",)).wants("length")
