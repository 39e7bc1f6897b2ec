from pathlib import Path

import pytest

from course_utils.deployment import convert_to_gguf
from course_utils.files import PROJECT

BASE = PROJECT / "data" / "tiny_base"


@pytest.fixture(scope="session")
def base() -> Path:
    return BASE


@pytest.fixture(scope="session")
def gguf_f16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert_to_gguf(BASE, tmp_path_factory.mktemp("gguf") / "model.gguf", "f16")
