"""Probe this machine: processor, memory, disk, GPUs and installed programs, without loading PyTorch.

The network is used only on request, and the results do not name the machine or its user.
"""

import os
import platform
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from course_utils.artifacts import package_versions
from course_utils.files import PROJECT, text_of
from course_utils.models import hub_is_reachable
from course_utils.resources import memory_limit, n_cores

VECTOR_FEATURES = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
"""Instruction sets that speed up matrix products, by Linux's names."""
PROGRAM_S, DRIVER_S = 1.8, 10
"""Time limits in seconds for a program, and for nvidia-smi, which may first have to wake a GPU."""
SILENT = "does not answer"
"""In place of a version: the program is installed, but its service does not run, or it hangs."""
_NVIDIA = ("nvidia-smi", "--query-gpu=name,memory.total,compute_cap,driver_version", "--format=csv,noheader,nounits")
_DOCKER = ("docker", "version", "--format", "{{.Server.Version}}")


@dataclass(frozen=True)
class Gpu:
    """A GPU; ``compute_capability`` is NVIDIA's (major, minor), such as ``(8, 9)``, or None for Apple's GPUs."""

    name: str
    memory_gib: float
    compute_capability: tuple[int, int] | None = None

    def __str__(self) -> str:
        if self.compute_capability is None:
            return f"{self.name}, memory shared with the processor"
        major, minor = self.compute_capability
        return f"{self.name}, {self.memory_gib:.0f} GiB, compute capability {major}.{minor}"


@dataclass(frozen=True)
class Machine:
    """The facts about a machine that matter for fine-tuning; cores and memory are within a container's limits."""

    os: str
    python: str
    cpu: str
    n_cores: int
    memory_gib: float
    disk_free_gib: float
    """Free space on the disk of the artifacts."""
    cpu_features: tuple[str, ...] = ()
    """The processor's instruction sets among ``VECTOR_FEATURES``."""
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    """Version of NVIDIA's driver, ``SILENT``, or None if nvidia-smi is not installed."""
    cuda: str | None = None
    """The newest CUDA version that the driver supports."""
    docker: str | None = None
    """Version of the running Docker engine, ``SILENT``, or None if it is not installed; the same for ``ollama``."""
    ollama: str | None = None
    torch: str | None = None
    """Version of the installed PyTorch; one that ends in ``+cpu`` cannot use NVIDIA GPUs."""
    unsloth: str | None = None
    hub_reachable: bool | None = None
    """Whether the Hugging Face Hub answers; None if it was not asked."""


def probe_machine(*, check_hub: bool = False, artifacts: Path = PROJECT) -> Machine:
    """Probe this machine, in under two seconds unless a GPU must wake up; ``check_hub`` also asks the network.

    ``artifacts`` is the folder of results, which may not exist yet.
    """
    import psutil

    place = next(path for path in (artifacts, *artifacts.parents) if path.exists())
    versions = package_versions(("torch", "unsloth"))
    with ThreadPoolExecutor() as pool:
        asked = _NVIDIA, ("nvidia-smi",), _DOCKER, ("ollama", "--version")
        listing, table, docker, ollama = pool.map(lambda command: _output_of(*command), asked)
    memory_gib = round(min(psutil.virtual_memory().total, memory_limit()) / 2**30, 1)
    flags = _cpu("flags", "leaf7_features").lower().split()
    cuda = re.search(r"CUDA (?:UMD )?Version:\s*([\d.]+)", table)
    machine = Machine(
        os=_os_name(),
        python=platform.python_version(),
        cpu=_cpu("model name", "brand_string") or platform.processor() or platform.machine(),
        n_cores=n_cores(),
        memory_gib=memory_gib,
        disk_free_gib=round(shutil.disk_usage(place).free / 2**30, 1),
        cpu_features=tuple(name for name in VECTOR_FEATURES if name in flags),
        gpus=_nvidia_gpus(listing, memory_gib),
        driver=_version("nvidia-smi", listing, r"([\d.]+)\s*$"),
        cuda=cuda[1] if cuda else None,
        docker=_version("docker", docker, r"^(\d[\w.+-]*)$"),
        # Without its service, Ollama prints a warning and "client version is ..." instead.
        ollama=_version("ollama", ollama, r"^ollama version is (\S+)$"),
        torch=versions.get("torch"),
        unsloth=versions.get("unsloth"),
        hub_reachable=hub_is_reachable() if check_hub else None,
    )
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return replace(machine, gpus=(Gpu(f"{machine.cpu} GPU", machine.memory_gib),))
    return machine


def _output_of(*command: str) -> str:
    """A program's stripped output; empty if it is not installed, fails or hangs."""
    timeout_s = DRIVER_S if command[0] == "nvidia-smi" else PROGRAM_S
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=True, stdin=subprocess.DEVNULL)
        return done.stdout.decode("utf-8", "replace").strip()
    return ""


def _version(program: str, output: str, pattern: str) -> str | None:
    """The version in a program's output, ``SILENT`` if there is none, None if the program is not installed."""
    found = re.search(pattern, output, re.MULTILINE)
    return found[1] if found else SILENT if shutil.which(program) else None


def _os_name() -> str:
    name = f"{platform.system()} {platform.release()}"
    with suppress(OSError):  # only Linux has this file
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{name} ({platform.machine()})"


def _cpu(linux: str, apple: str) -> str:
    """A property of the processor, by its name in Linux's ``/proc/cpuinfo`` or macOS's ``sysctl``; empty if unknown."""
    found = re.search(rf"^{linux}\s*:\s*(.+)$", text_of(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1].strip() if found else _output_of("sysctl", "-n", f"machdep.cpu.{apple}")


def _nvidia_gpus(listing: str, memory_gib: float) -> tuple[Gpu, ...]:
    """The GPUs in nvidia-smi's listing, without those that numbers in ``CUDA_VISIBLE_DEVICES`` hide.

    GPUs without a compute capability are left out; one without memory of its own gets ``memory_gib``, the machine's.
    Identifiers (``GPU-...``, ``MIG-...``) in the variable are not resolved, and hide none.
    """
    pattern = r"^(?P<name>.+?),\s*(?:(?P<mib>\d+)|\[.*?\]),\s*(?P<major>\d+)\.(?P<minor>\d+)\s*(?:,|$)"
    gpus = tuple(
        Gpu(
            found["name"].strip(),
            round(int(found["mib"]) / 1024, 1) if found["mib"] else memory_gib,
            (int(found["major"]), int(found["minor"])),
        )
        for found in re.finditer(pattern, listing, re.MULTILINE)
    )
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None or re.search("GPU-|MIG-", visible):
        return gpus
    chosen = [int(index) for index in visible.split(",") if index.strip().isdigit()]
    return tuple(gpus[index] for index in chosen if index < len(gpus))
