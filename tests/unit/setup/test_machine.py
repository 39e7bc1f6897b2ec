"""The probe, against what the operating system and psutil say."""

import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from course_utils import resources
from course_utils.doctor import examine_machine
from course_utils.files import PROJECT
from course_utils.profiles import get_profile
from course_utils.setup import machine as probing
from course_utils.setup.machine import SILENT, Gpu, Machine, probe_machine


def test_the_probe_agrees_with_the_operating_system() -> None:
    machine = probe_machine()
    assert machine.python == platform.python_version()
    assert 1 <= machine.n_cores <= (os.cpu_count() or 1)
    assert 0 < machine.memory_gib <= psutil.virtual_memory().total / 2**30 + 0.1
    assert machine.disk_free_gib == pytest.approx(psutil.disk_usage(str(PROJECT)).free / 2**30, abs=1)
    assert machine.cpu
    assert machine.torch


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="wants a second disk, such as Linux keeps in memory")
def test_the_disk_is_that_of_the_artifacts() -> None:
    machine = probe_machine(artifacts=Path("/dev/shm/not/yet/there"))
    assert machine.disk_free_gib == pytest.approx(psutil.disk_usage("/dev/shm").free / 2**30, abs=1)
    assert machine.disk_free_gib != probe_machine().disk_free_gib


def test_the_hub_is_asked_only_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(probing, "hub_is_reachable", lambda: bool(asked.append("the Hub")) or True)
    assert probe_machine().hub_reachable is None
    assert asked == []
    assert probe_machine(check_hub=True).hub_reachable is True
    assert asked == ["the Hub"]


@pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc/cpuinfo")
def test_vector_instructions_are_those_that_torch_sees() -> None:
    import torch

    capability = torch.backends.cpu.get_cpu_capability()
    features = probe_machine().cpu_features
    if capability in ("AVX2", "AVX512"):
        assert "avx2" in features
    if capability == "AVX512":
        assert "avx512f" in features


@pytest.mark.parametrize(
    ("membership", "files"),
    [
        ("0::/", {"memory.max": "1073741824", "cpu.max": "50000 100000"}),  # a container's own group is the top one
        ("0::/user/job", {"user/memory.max": "1073741824", "user/job/memory.max": "max", "user/cpu.max": "9 10"}),
        ("0::/host/abc", {"memory.max": "1073741824", "cpu.max": "50000 100000"}),  # a path of the host
        (
            "4:memory:/job\n1:cpu,cpuacct:/job\n0::/",
            {
                "memory/memory.limit_in_bytes": "9223372036854771712",
                "memory/job/memory.limit_in_bytes": "1073741824",
                "cpu,cpuacct/cpu.cfs_quota_us": "-1",
                "cpu,cpuacct/job/cpu.cfs_quota_us": "50000",
                "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
            },
        ),
        (  # a folder that has the names in another order, and a link with one of them
            "4:memory:/\n1:cpuacct,cpu:/job",
            {
                "memory/memory.limit_in_bytes": "1073741824",
                "cpu/job/cpu.cfs_quota_us": "50000",
                "cpu/job/cpu.cfs_period_us": "100000",
            },
        ),
    ],
)
def test_limits_of_a_container_or_job_count(
    membership: str, files: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_limits(membership, files, tmp_path, monkeypatch)
    machine = probe_machine()
    assert machine.memory_gib == 1.0
    assert machine.n_cores == 1


@pytest.mark.parametrize("membership", ["0::/", ""])
def test_no_limit_is_no_limit(membership: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = probe_machine()
    set_limits(membership, {"memory.max": "max", "cpu.max": "max 100000"}, tmp_path, monkeypatch)
    assert probe_machine().memory_gib >= before.memory_gib
    assert probe_machine().n_cores >= before.n_cores


def set_limits(membership: str, files: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files as Linux shows them to a process in control groups."""
    for name, text in {"own": membership, **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    monkeypatch.setattr(resources, "CGROUPS", folder)
    monkeypatch.setattr(resources, "OWN_CGROUPS", folder / "own")


LISTING = """NVIDIA H100 80GB HBM3, 81559, 9.0, 580.95.05
Tesla T4, 15360, 7.5, 580.95.05
NVIDIA GeForce RTX 4090, 24564, 8.9, 580.95.05
Old card, [N/A], [N/A], 580.95.05
"""
UNIFIED = "NVIDIA GB10, [N/A], 12.1, 580.95.05"
GPUS = (
    Gpu("NVIDIA H100 80GB HBM3", 79.6, (9, 0)),
    Gpu("Tesla T4", 15.0, (7, 5)),
    Gpu("NVIDIA GeForce RTX 4090", 24.0, (8, 9)),
)


@pytest.mark.parametrize(("listing", "gpus"), [(LISTING, GPUS), ("", ()), ("No devices were found", ())])
def test_nvidia_smi_is_read(listing: str, gpus: tuple[Gpu, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(probing, "_output_of", lambda *command: listing if command[0] == "nvidia-smi" else "")
    assert probe_machine().gpus == gpus


def test_a_gpu_without_memory_of_its_own_has_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(probing, "_output_of", lambda *command: UNIFIED if command[0] == "nvidia-smi" else "")
    machine = probe_machine()
    assert machine.gpus == (Gpu("NVIDIA GB10", machine.memory_gib, (12, 1)),)


@pytest.mark.parametrize(
    ("visible", "chosen"),
    [
        (None, GPUS),
        ("0", GPUS[:1]),
        ("2,1", (GPUS[2], GPUS[1])),
        ("", ()),
        ("-1", ()),
        ("7", ()),
        ("MIG-5c1bd4ab-1a2b", GPUS),
    ],
)
def test_hidden_gpus_do_not_count(
    visible: str | None, chosen: tuple[Gpu, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_output_of", lambda *command: LISTING if command[0] == "nvidia-smi" else "")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert probe_machine().gpus == chosen


def test_a_machine_shows_itself_without_naming_itself() -> None:
    machine = Machine("Linux <x>", "3.12.1", "A & B", 2, 23.5, 70.0, ("avx2",), (GPUS[1],))
    html = examine_machine(machine, get_profile("smoke"))._repr_html_()
    assert "A &amp; B, 2 cores" in html
    assert "23.5 GiB" in html
    assert "Tesla T4, 15 GiB, compute capability 7.5" in html
    real = probe_machine()
    for text in (str(asdict(real)), examine_machine(real, get_profile("smoke"))._repr_html_()):
        assert str(Path.home()) not in text
        assert str(PROJECT) not in text


def test_a_program_that_is_not_there_says_nothing() -> None:
    assert probing._output_of("no-such-program-here") == ""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a shell script of a name on PATH, in front of nothing else but the shell's own programs."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def write(name: str, script: str) -> None:
        (tmp_path / name).write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
        (tmp_path / name).chmod(0o755)

    return write


SMI = """case "$1" in
--query-gpu*) echo "Tesla T4, 15360, 7.5, 550.54.15";;
*) echo "| NVIDIA-SMI 550.54.15    Driver Version: 550.54.15    CUDA Version: 12.4 |";;
esac"""
OLLAMA_ALONE = """echo 'Warning: could not connect to a running Ollama instance'
echo 'Warning: client version is 0.12.6'
"""


def test_nothing_installed_is_nothing_found(fake: Callable[[str, str], None]) -> None:
    machine = probe_machine()
    assert (machine.gpus, machine.driver, machine.cuda, machine.docker, machine.ollama) == ((), None, None, None, None)


def test_programs_name_their_versions(fake: Callable[[str, str], None]) -> None:
    fake("nvidia-smi", SMI)
    fake("docker", "echo 28.5.1")
    fake("ollama", "echo ollama version is 0.12.6")
    machine = probe_machine()
    assert machine.gpus == (Gpu("Tesla T4", 15.0, (7, 5)),)
    assert (machine.driver, machine.cuda, machine.docker, machine.ollama) == ("550.54.15", "12.4", "28.5.1", "0.12.6")
    assert "550.54.15" in examine_machine(machine, get_profile("smoke"))._repr_html_()


@pytest.mark.parametrize(
    ("docker", "ollama"),
    [
        ("echo; echo Cannot connect to the Docker daemon >&2; exit 1", OLLAMA_ALONE),
        ("exit 127", "exit 1"),
        ("printf '\\377\\376'", "printf '\\377'"),
        ("read answer; sleep 60", "sleep 60"),
        ("kill -9 $$", "echo"),
    ],
)
def test_programs_that_fail_or_hang_are_told_from_none(
    docker: str, ollama: str, fake: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert probing.PROGRAM_S < 2, "what a person waits for a program that hangs"
    monkeypatch.setattr(probing, "PROGRAM_S", 0.5)
    fake("nvidia-smi", "echo NVIDIA-SMI has failed because it could not communicate with the driver; exit 9")
    fake("docker", docker)
    fake("ollama", ollama)
    began = time.monotonic()
    machine = probe_machine()
    assert time.monotonic() - began < 3  # half a second on a machine with nothing else to do
    assert (machine.driver, machine.cuda, machine.docker, machine.ollama) == (SILENT, None, SILENT, SILENT)
    assert machine.gpus == ()
