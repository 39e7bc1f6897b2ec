import os

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
