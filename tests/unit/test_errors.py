"""Every error is one of the course's, says when it happens, and can be caught as one."""

import inspect

import pytest

from course_utils import errors

CLASSES = [value for _, value in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("kind", CLASSES)
def test_each_error_is_a_course_error_and_says_when_it_happens(kind: type[Exception]) -> None:
    assert issubclass(kind, errors.CourseError)
    assert inspect.getdoc(kind)


def test_a_missing_extra_names_the_command_that_installs_it() -> None:
    errors.require("gpu", "json")
    with pytest.raises(errors.MissingExtraError) as raised:
        errors.require("gpu", "json", "no_such_package")
    assert str(raised.value) == 'no_such_package is not installed; run: pip install "course-utils[gpu]"'
    assert isinstance(raised.value, ImportError)
