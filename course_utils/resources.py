"""What a container or a job leaves this process of its machine: cores and memory."""

import os
from collections.abc import Iterator
from math import inf
from pathlib import Path

from course_utils.files import text_of

CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def n_cores() -> int:
    """Cores that this process may use: those of its affinity, or as many as the quota of a container or job makes."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _control_groups():
        old = [text_of(group / f"cpu.cfs_{each}_us") for each in ("quota", "period")]
        quota, period = text_of(group / "cpu.max").split() or old
        if quota.isdigit() and period.isdigit():
            allowed = min(allowed, -(-int(quota) // int(period)))
    return max(1, allowed)


def memory_limit() -> float:
    """Bytes of memory that a container or a job leaves this process; infinite where there is no limit."""
    limits = [text_of(group / f"memory.{each}") for group in _control_groups() for each in ("max", "limit_in_bytes")]
    return min((float(limit) for limit in limits if limit.isdigit()), default=inf)


def _control_groups() -> Iterator[Path]:
    """Folders of the control groups (cgroups of version 1 or 2) that hold this process, and of those around them.

    A container sees its own as the top one, where its path may mean nothing.
    """
    for line in text_of(OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)  # version 2 names no controllers
        own = Path(path.lstrip("/"))
        for name in {controllers, *controllers.split(",")}:  # a folder's, which may order them otherwise, and links
            yield from (CGROUPS / name / group for group in (own, *own.parents))
