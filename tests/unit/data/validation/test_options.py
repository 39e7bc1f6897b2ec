from typing import Any

import pytest

from course_utils.data.validation.options import ValidationOptions
from course_utils.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": ("syntax", "speling")}, "check speling is unknown; choose from schema, encoding"),
        ({"engine": "ray"}, "engine 'ray' is unknown; choose from local, spark"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ValidationOptions(**options)
