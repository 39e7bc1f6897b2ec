"""What this machine can do: processor, memory, disk and GPUs, read without loading PyTorch.

Nothing here asks the network unless told to, and nothing names the machine or its user.
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
"""Linux's names of the instruction sets that matter to matrix arithmetic."""
PROGRAM_S, DRIVER_S = 1.8, 10
"""How long a program may take to answer, and NVIDIA's, which first wakes a GPU that sleeps."""
SILENT = "does not answer"
"""Said of a program that is installed but has no answer: its service does not run, or it hangs."""
_NVIDIA = ("nvidia-smi", "--query-gpu=name,memory.total,compute_cap,driver_version", "--format=csv,noheader,nounits")
_DOCKER = ("docker", "version", "--format", "{{.Server.Version}}")


@dataclass(frozen=True)
class Gpu:
    """One graphics processor; ``compute_capability`` is NVIDIA's, such as ``(8, 9)``, or None on Apple's."""

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
    """What fine-tuning needs to know of a machine: cores and memory (GiB) within a container's limits."""

    os: str
    python: str
    cpu: str
    n_cores: int
    memory_gib: float
    disk_free_gib: float
    """Free space where the course lies."""
    cpu_features: tuple[str, ...] = ()
    """Those of ``VECTOR_FEATURES`` that the processor has."""
    gpus: tuple[Gpu, ...] = ()
    driver: str | None = None
    """Version of NVIDIA's driver, ``SILENT``, or None without one."""
    cuda: str | None = None
    """The newest CUDA that the driver runs."""
    docker: str | None = None
    """Version of the engine that runs, ``SILENT``, or None where the program is not installed; so is ``ollama``."""
    ollama: str | None = None
    torch: str | None = None
    """Version of the installed PyTorch; ``+cpu`` at its end means that it ignores GPUs."""
    unsloth: str | None = None
    hub_reachable: bool | None = None
    """Whether the Hugging Face Hub answers; None if nobody asked."""


def probe_machine(*, check_hub: bool = False) -> Machine:
    """Look at this machine, in under two seconds unless a GPU has to wake up; only ``check_hub`` asks the network."""
    import psutil

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
        disk_free_gib=round(shutil.disk_usage(PROJECT).free / 2**30, 1),
        cpu_features=tuple(name for name in VECTOR_FEATURES if name in flags),
        gpus=_nvidia_gpus(listing, memory_gib),
        driver=_version("nvidia-smi", listing, r"([\d.]+)\s*$"),
        cuda=cuda[1] if cuda else None,
        docker=_version("docker", docker, r"^(\d[\w.+-]*)$"),
        # Without its service Ollama warns, and names its own version as the client's.
        ollama=_version("ollama", ollama, r"^ollama version is (\S+)$"),
        torch=versions.get("torch"),
        unsloth=versions.get("unsloth"),
        hub_reachable=hub_is_reachable() if check_hub else None,
    )
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return replace(machine, gpus=(Gpu(f"{machine.cpu} GPU", machine.memory_gib),))
    return machine


def _output_of(*command: str) -> str:
    """What a program prints; empty if it is not there, fails or hangs."""
    timeout_s = DRIVER_S if command[0] == "nvidia-smi" else PROGRAM_S
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=True, stdin=subprocess.DEVNULL)
        return done.stdout.decode("utf-8", "replace").strip()
    return ""


def _version(program: str, output: str, pattern: str) -> str | None:
    """The version that a program's output names, ``SILENT`` if it names none, None if there is no such program."""
    found = re.search(pattern, output, re.MULTILINE)
    return found[1] if found else SILENT if shutil.which(program) else None


def _os_name() -> str:
    name = f"{platform.system()} {platform.release()}"
    with suppress(OSError):  # of Linux alone
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"{name} ({platform.machine()})"


def _cpu(linux: str, apple: str) -> str:
    """A fact about the processor, by its name in ``/proc/cpuinfo`` and in macOS's ``sysctl``; empty if unknown."""
    found = re.search(rf"^{linux}\s*:\s*(.+)$", text_of(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1].strip() if found else _output_of("sysctl", "-n", f"machdep.cpu.{apple}")


def _nvidia_gpus(listing: str, memory_gib: float) -> tuple[Gpu, ...]:
    """What ``nvidia-smi`` lists with a name and a compute capability, less what ``CUDA_VISIBLE_DEVICES`` hides.

    One without MiB of its own shares the machine's memory. Identifiers, of a GPU or a part of one, hide none.
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
