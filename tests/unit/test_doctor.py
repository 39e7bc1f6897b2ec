"""The doctor finds what is planted: a wrong version, a missing package, a port in use, a model without tokenizer."""

import socket

import pytest

from course_utils import doctor
from course_utils.artifacts import open_course
from course_utils.doctor import examine, locked_versions


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


def findings_of(course, check):
    return [(finding.severity, finding.reason) for finding in examine(course) if finding.check == check]


def test_a_package_of_another_version_is_wrong(course, locks):
    locks("pytest==0.1\n")
    ((severity, text),) = findings_of(course, "packages")
    assert severity == "error"
    assert "instead of 0.1" in text


def test_a_missing_package_is_wrong_if_the_course_needs_it(course, locks):
    locks(f"pytest=={pytest.__version__}\nno-such-package==1.0\n", course=f"pytest=={pytest.__version__}\n")
    assert findings_of(course, "packages") == [("note", "1 packages, all as locked")]
    locks("no-such-package==1.0\n")
    assert "no-such-package is missing" in findings_of(course, "packages")[0][1]


def test_missing_locks_deserve_a_look(course, locks):
    assert findings_of(course, "packages")[0][0] == "warning"


def test_a_lock_is_read_with_its_hashes_and_conditions(tmp_path):
    lock = tmp_path / "course.txt"
    hashed = " \\\n    --hash=sha256:00\n"
    lock.write_text(f"a-b==1.2.3{hashed}win==1 ; sys_platform == 'plan9'{hashed}new==2 ; python_version > '3'{hashed}")
    assert locked_versions(lock) == {"a-b": "1.2.3", "new": "2"}
    assert locked_versions(tmp_path / "none.txt") == {}


def test_a_model_folder_without_a_tokenizer_is_wrong(course):
    ((severity, text),) = findings_of(course, "model")
    assert severity == "error"
    assert "no tokenizer" in text


def test_a_port_in_use_deserves_a_look(course, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {port: "a test"})
        ((severity, text),) = findings_of(course, f"port {port}")
    assert severity == "warning"
    assert "a test wants it" in text


def test_an_unsupported_python_is_wrong(course, monkeypatch):
    monkeypatch.setattr(doctor.sys, "version_info", (3, 9, 0))
    ((severity, text),) = findings_of(course, "Python")
    assert severity == "error"
    assert "3.9" in text
