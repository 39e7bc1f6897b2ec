"""The doctor finds what is planted: a wrong version, a missing package, a port in use, a model without tokenizer."""

import socket
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from course_utils import doctor
from course_utils.artifacts import open_course
from course_utils.doctor import examine, examine_machine, locked_versions
from course_utils.profiles import get_profile
from course_utils.setup.machine import SILENT, Gpu, Machine


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


def test_packages_of_another_python_are_no_fault_of_the_environment(course, locks, monkeypatch):
    locks("pytest==0.1\n")
    fixes = []
    for path in ("", "/opt/ros/lib"):
        monkeypatch.setenv("PYTHONPATH", path)
        fixes += [finding.fix for finding in examine(course) if finding.check == "packages"]
    assert ["PYTHONPATH" in fix for fix in fixes] == [False, True]


def test_a_missing_package_is_wrong_if_the_course_needs_it(course, locks):
    locks(f"pytest=={pytest.__version__}\nno-such-package==1.0\n", course=f"pytest=={pytest.__version__}\n")
    assert findings_of(course, "packages") == [("note", "1 packages, all as locked")]
    locks("no-such-package==1.0\n")
    assert "no-such-package is missing" in findings_of(course, "packages")[0][1]


def test_the_pip_that_an_environment_brings_is_not_wrong(course, locks):
    """No learner's set names it, so that no remedy would change it."""
    locks(f"pip==0.1\npytest=={pytest.__version__}\n", course=f"pytest=={pytest.__version__}\n")
    assert findings_of(course, "packages") == [("note", "1 packages, all as locked")]


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


SMOKE = get_profile("smoke")
LAPTOP = Machine("Linux", "3.12.1", "a CPU", 8, 15.5, 200.0, torch="2.13.0+cpu")
GPU_MACHINE = replace(LAPTOP, gpus=(Gpu("Tesla T4", 15.0, (7, 5)),), driver="580.95", cuda="13.0", torch="2.13.0+cu130")
PLANTED = {
    "no GPU": (LAPTOP, "GPU", "note", "none", "course export OUT --for together"),
    "a good GPU": (GPU_MACHINE, "GPU", "note", "Tesla T4", ""),
    "a small GPU": (
        replace(GPU_MACHINE, gpus=(Gpu("RTX 3050", 4.0, (8, 6)),)),
        "GPU",
        "warning",
        "4 GiB",
        "too little",
    ),
    "a broken driver": (replace(LAPTOP, driver=SILENT), "driver", "error", SILENT, "install NVIDIA's driver again"),
    "a driver": (GPU_MACHINE, "CUDA", "note", "580.95, CUDA up to 13.0", ""),
    "an old driver": (replace(GPU_MACHINE, cuda="12.4"), "CUDA", "error", "up to 12.4", "built for CUDA 13.0"),
    "a driver of the same major version": (
        replace(GPU_MACHINE, cuda="12.4", torch="2.13.0+cu128"),
        "CUDA",
        "note",
        "up to 12.4",
        "",
    ),
    "the CPU's PyTorch": (replace(GPU_MACHINE, torch="2.13.0+cpu"), "CUDA", "error", "ignores every GPU", ".venv"),
    "PyPI's PyTorch": (replace(GPU_MACHINE, torch="2.13.0"), "CUDA", "note", "580.95", ""),
    "no PyTorch": (replace(GPU_MACHINE, torch=None), "CUDA", "note", "580.95", ""),
    "no Docker": (LAPTOP, "Docker", "note", "not installed", "docker.com"),
    "Docker stopped": (replace(LAPTOP, docker=SILENT), "Docker", "note", SILENT, "start Docker Desktop"),
    "Docker": (replace(LAPTOP, docker="28.5.1"), "Docker", "note", "version 28.5.1", ""),
    "no Ollama": (LAPTOP, "Ollama", "note", "not installed", "ollama.com"),
    "Ollama stopped": (replace(LAPTOP, ollama=SILENT), "Ollama", "note", SILENT, "ollama serve"),
    "Ollama": (replace(LAPTOP, ollama="0.12.6"), "Ollama", "note", "version 0.12.6", ""),
}


@pytest.mark.parametrize(("machine", "check", "severity", "reason", "fix"), PLANTED.values(), ids=PLANTED)
def test_what_a_machine_lacks_has_a_remedy(machine, check, severity, reason, fix):
    (found,) = [finding for finding in examine_machine(machine, SMOKE) if finding.check == check]
    assert found.severity == severity
    assert reason in found.reason
    assert fix in found.fix if fix else not found.fix


@pytest.mark.parametrize(("visible", "says"), [("", "CUDA_VISIBLE_DEVICES hides"), (None, "the driver lists none")])
def test_no_gpu_beside_a_driver_has_its_reason(visible, says, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    (found,) = [each for each in examine_machine(replace(GPU_MACHINE, gpus=()), SMOKE) if each.check == "GPU"]
    assert says in found.reason


@pytest.mark.parametrize(
    ("lack", "reason", "fix"),
    [
        ({"disk_free_gib": 0.3}, "wants 1 GiB of free disk; found 0.3 GiB", "set ARTIFACTS to another disk"),
        ({"memory_gib": 1.5}, "GiB of memory; found 1.5 GiB", "use a larger machine"),
    ],
)
def test_too_small_a_machine_for_the_smallest_profile_is_told_no_other_profile(
    lack, reason, fix, tmp_path, monkeypatch
):
    machine = replace(LAPTOP, **lack)
    monkeypatch.setattr("course_utils.doctor.probe_machine", lambda **_: machine)
    in_notebook = examine_machine(machine, SMOKE)
    for found in (in_notebook, examine(open_course("smoke", artifacts=str(tmp_path)))):
        (profile,) = [each for each in found if each.check == "profile" and each.severity == "error"]
        assert reason in profile.reason
        assert fix in profile.fix
    assert fix in in_notebook._repr_html_()


def test_a_machine_that_is_too_small_for_a_profile_is_told_one_that_fits():
    findings = examine_machine(replace(LAPTOP, disk_free_gib=1.3), get_profile("laptop"))
    (found,) = [each for each in findings if each.check == "profile"]
    assert "wants 2 GiB of free disk; found 1.3 GiB" in found.reason
    assert found.fix == "choose another, such as smoke"


def test_memory_that_others_hold_deserves_a_look(tmp_path, monkeypatch):
    course = open_course("smoke", artifacts=str(tmp_path))
    assert findings_of(course, "memory")[0][0] == "note"
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=16 * 2**30, available=2**28))
    ((severity, text),) = findings_of(course, "memory")
    assert severity == "warning"
    assert "16.0 GiB, up to 0.2 GiB of them free; this profile wants 3 GiB" in text
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * 2**30, available=50 * 2**30))
    monkeypatch.setattr("course_utils.setup.machine.memory_limit", lambda: 4 * 2**30)
    assert findings_of(course, "memory") == [("note", "4.0 GiB, up to 4.0 GiB of them free")]
