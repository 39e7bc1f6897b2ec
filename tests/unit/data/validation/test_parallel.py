import os
import subprocess
import sys

from course_utils.artifacts import PROJECT
from course_utils.data.validation.parallel import chunked, map_chunks


def where(chunk: list[int]) -> tuple[int, int]:
    return os.getpid(), sum(chunk)


def test_chunks_keep_every_item_in_order() -> None:
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunked([], 2)) == []


def test_one_process_is_this_one() -> None:
    assert map_chunks(where, [[1, 2], [3]], 1) == [(os.getpid(), 3), (os.getpid(), 3)]


def test_several_processes_answer_in_order() -> None:
    found = map_chunks(sum, [[i, i] for i in range(20)], 2)  # type: ignore[arg-type]
    assert found == [2 * i for i in range(20)]


def test_a_script_that_other_processes_cannot_import_is_served_by_its_own() -> None:
    code = "from course_utils.data.validation.parallel import map_chunks; print(map_chunks(sum, [[1, 2], [3]], 2))"
    done = subprocess.run([sys.executable, "-"], input=code, capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.strip() == "[3, 3]"
    assert "checking on this one alone" in done.stderr
