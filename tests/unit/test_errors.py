"""Every error is one of the course's, says when it happens, and can be caught as one."""

import inspect
import re
import tomllib

import pytest

from course_utils import errors
from course_utils.files import PROJECT

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", CLASSES)
def test_each_error_is_a_course_error_and_says_when_it_happens(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.CourseError)
    assert inspect.getdoc(kind)


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    errors.require("gpu", "json")
    with pytest.raises(errors.MissingExtraError) as raised:
        errors.require("gpu", "json", "no_such_package")
    assert "no_such_package is not installed; run python3 requirements/install.py --set gpu, and" in str(raised.value)
    assert isinstance(raised.value, ImportError)


def test_every_extra_that_can_be_missing_is_in_a_set_that_can_be_installed() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for extra, name in errors._SETS.items():
        locked = re.findall(r"^[\w.-]+", (PROJECT / "requirements" / f"{name}.txt").read_text("utf-8"), re.MULTILINE)
        assert {re.split(r"[=\[]", package)[0] for package in extras[extra]} <= {*locked}
