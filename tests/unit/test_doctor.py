"""The doctor finds what is planted: a wrong version, a missing package, a port in use, a model without tokenizer."""

import io
import socket

import pytest
from rich.console import Console

from course_utils import doctor
from course_utils.artifacts import open_course
from course_utils.doctor import Finding, examine, locked_versions, render_findings


@pytest.fixture
def course(tmp_path):
    return open_course("smoke", str(tmp_path), str(tmp_path), str(tmp_path / "artifacts"))


@pytest.fixture
def locks(tmp_path, monkeypatch):
    folder = tmp_path / "requirements"
    folder.mkdir()
    monkeypatch.setattr(doctor, "LOCKS", folder)

    def write(everything, course=""):
        (folder / "all.txt").write_text(everything)
        (folder / "course.txt").write_text(course or everything)

    return write


def verdicts(findings, subject):
    return [(finding.verdict, finding.text) for finding in findings if finding.subject == subject]


def test_a_package_of_another_version_is_wrong(course, locks):
    locks("pytest==0.1\n")
    ((verdict, text),) = verdicts(examine(course), "packages")
    assert verdict == "wrong"
    assert "instead of 0.1" in text


def test_a_missing_package_is_wrong_if_the_course_needs_it(course, locks):
    locks(f"pytest=={pytest.__version__}\nno-such-package==1.0\n", course=f"pytest=={pytest.__version__}\n")
    assert verdicts(examine(course), "packages") == [("good", "1 packages, all as locked")]
    locks("no-such-package==1.0\n")
    assert "no-such-package is missing" in verdicts(examine(course), "packages")[0][1]


def test_missing_locks_deserve_a_look(course, locks):
    assert verdicts(examine(course), "packages")[0][0] == "look"


def test_a_lock_is_read_with_its_hashes_and_conditions(tmp_path):
    lock = tmp_path / "course.txt"
    hashed = " \\\n    --hash=sha256:00\n"
    lock.write_text(f"a-b==1.2.3{hashed}win==1 ; sys_platform == 'plan9'{hashed}new==2 ; python_version > '3'{hashed}")
    assert locked_versions(lock) == {"a-b": "1.2.3", "new": "2"}
    assert locked_versions(tmp_path / "none.txt") == {}


def test_a_model_folder_without_a_tokenizer_is_wrong(course):
    ((verdict, text),) = verdicts(examine(course), "model")
    assert verdict == "wrong"
    assert "no tokenizer" in text


def test_a_port_in_use_deserves_a_look(course, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {port: "a test"})
        ((verdict, text),) = verdicts(examine(course), f"port {port}")
    assert verdict == "look"
    assert "a test wants it" in text


def test_an_unsupported_python_is_wrong(course, monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 0))
    ((verdict, text),) = verdicts(examine(course), "Python")
    assert verdict == "wrong"
    assert "3.9" in text


def test_the_findings_show_as_a_table():
    console = Console(file=io.StringIO(), width=100)
    console.print(render_findings([Finding("disk", "wrong", "0 GiB free where artifacts go")]))
    assert "wrong" in console.file.getvalue()
    assert "0 GiB free" in console.file.getvalue()
