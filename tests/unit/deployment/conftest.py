from pathlib import Path

import pytest

from course_utils.files import PROJECT


@pytest.fixture(scope="session")
def base() -> Path:
    return PROJECT / "data" / "tiny_base"
