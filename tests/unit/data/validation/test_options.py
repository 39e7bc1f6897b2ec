from pathlib import Path
from typing import Any

import pytest

from course_utils.data.validation.options import ValidationOptions, with_profile
from course_utils.errors import ConfigurationError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checks": ("syntax", "speling")}, "check speling is unknown; choose from schema, encoding"),
        ({"engine": "ray"}, "engine 'ray' is unknown; choose from local, spark"),
        ({"max_length": -1}, "max_length=-1 is not above 0"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ValidationOptions(**options)


def test_a_profile_brings_its_tokenizer_and_limit_where_lengths_are_wanted() -> None:
    options = with_profile(ValidationOptions(), "smoke")
    assert (options.max_length, options.sample) == (512, "smoke")
    assert Path(options.tokenizers[0].name_or_path).name == "tiny_base"
    assert with_profile(ValidationOptions(("syntax",)), "smoke").tokenizers == ()
    with pytest.raises(ConfigurationError, match="PROFILE='huge'"):
        with_profile(ValidationOptions(("syntax",)), "huge")
