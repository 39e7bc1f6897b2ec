"""Files are told apart by their bytes, folders from Hub ids by their names, and nothing is left half written."""

import errno
import shutil
from pathlib import Path

import pytest

from course_utils.errors import DataError
from course_utils.files import (
    append_line,
    fingerprint,
    is_local,
    link_file,
    read_checked_jsonl,
    read_json,
    read_jsonl,
    sha256,
    write_json,
    write_jsonl,
)
from tests.unit.full_disk import full_disk


@pytest.mark.parametrize(
    ("model", "local"),
    [("data/tiny_base", True), ("./mine", True), ("~/mine", True), ("/mine", True), ("Qwen/Qwen3-8B", False)],
)
def test_a_folder_is_told_from_a_hub_id(model: str, local: bool) -> None:
    assert is_local(model) == local


def test_rows_survive_line_separators_and_any_script(tmp_path: Path) -> None:
    rows = [{"text": "a\u2028b\u0085c\nd"}, {"text": "Zürich 東京 '\\"}, {"text": ""}, {"text": "half \\\ud83d"}]
    assert read_jsonl(write_jsonl(tmp_path / "new" / "rows.jsonl", rows)) == rows
    assert read_json(write_json(tmp_path / "new" / "rows.json", rows)) == rows


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(tmp_path: Path, end: str) -> None:
    (tmp_path / "rows.jsonl").write_text(end.join(['{"a": "\u2028"}', "", '{"a": 2}', ""]), "utf-8-sig", newline="")
    found = read_checked_jsonl(tmp_path / "rows.jsonl", lambda row, place: row | {"line": place[-1]}, ["a"])
    assert found == [{"a": "\u2028", "line": "1"}, {"a": 2, "line": "3"}]


def test_of_many_wrong_rows_the_first_are_listed(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("[\n" * 1_000)
    with pytest.raises(DataError) as caught:
        read_checked_jsonl(tmp_path / "rows.jsonl", lambda row, place: row, ["id"])
    title, first, *_, last = lines = str(caught.value).splitlines()
    assert title.endswith("rows.jsonl: 1,000 of 1,000 rows are wrong:")
    assert first.startswith(f"{tmp_path / 'rows.jsonl'}:1: ")
    assert (len(lines), last) == (22, "... and 980 more")


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"abc")  # The example of FIPS 180-2, appendix B.1
    assert sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_a_fingerprint_tells_where_a_file_ends_and_what_it_is_called(tmp_path: Path) -> None:
    models = ({"a.bin": "x", "b.bin": "yz"}, {"a.bin": "xy", "b.bin": "z"}, {"a.bin": "x", "c.bin": "yz"})
    for number, model in enumerate(models):
        (tmp_path / str(number)).mkdir()
        for name, text in model.items():
            (tmp_path / str(number) / name).write_text(text)
    assert len({fingerprint(tmp_path / str(number)) for number in range(3)}) == 3


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "new" / "rows.jsonl", [{"a": "é"}])
    with pytest.raises(TypeError):
        write_jsonl(path, [{"a": 1}, {"a": path}])
    assert read_jsonl(path) == [{"a": "é"}]
    with pytest.raises(TypeError):
        write_json(path.with_name("one.json"), path)
    assert [found.name for found in path.parent.iterdir()] == ["rows.jsonl"]


def test_a_line_does_not_go_on_with_one_that_has_no_end(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for written in (b"", b"{}", b"{}\n"):
        path.write_bytes(written)
        for _ in range(2):
            with path.open("a+b") as file:
                append_line(file, b"[]\n")
        assert path.read_bytes().split() == [*written.split(), b"[]", b"[]"]
        assert path.read_bytes().count(b"\n") == len(path.read_bytes().split())


@pytest.mark.parametrize("left", [0, 5])
def test_a_line_is_added_whole_or_not_at_all(tmp_path: Path, left: int) -> None:
    path, line = tmp_path / "rows.jsonl", b'{"a": "something"}\n'
    with path.open("ab") as file:
        append_line(file, line)
        with full_disk(path, left), pytest.raises(OSError, match=r"space|large"):
            append_line(file, line)
        append_line(file, line)
    assert path.read_bytes() == 2 * line


@pytest.mark.parametrize("can_link", [True, False])
def test_a_file_is_copied_where_it_cannot_be_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, can_link: bool
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    if not can_link:
        monkeypatch.setattr("os.link", refuse)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a").write_text("a")
    (tmp_path / "folder" / "link").symlink_to("a")
    link_file(tmp_path / "folder" / "link", tmp_path / "b")
    shutil.copytree(tmp_path / "folder", tmp_path / "copy", copy_function=link_file)
    assert [(tmp_path / "copy" / "a").read_text(), (tmp_path / "b").read_text()] == ["a", "a"]
    assert (tmp_path / "copy" / "a").samefile(tmp_path / "folder" / "a") == can_link
