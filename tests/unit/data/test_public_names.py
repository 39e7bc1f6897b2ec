import subprocess
import sys
from importlib import import_module

import pytest

HEAVY = ("torch", "transformers", "datasets", "pandas", "pyspark", "sqlglot", "presidio_analyzer", "faker", "profanex")
ROOMS = ("course_utils.data.scale", "course_utils.data.validation")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_gives_its_public_names_without_heavy_libraries(room: str) -> None:
    code = f"import sys\nfrom {room} import *\nprint(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
    module = import_module(room)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
