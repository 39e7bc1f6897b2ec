"""The cores and memory that this process may use, within the limits of its container or cluster job."""

import os
from collections.abc import Iterator
from math import inf
from pathlib import Path

from course_utils.files import text_of

CGROUPS, OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def n_cores() -> int:
    """Cores that this process may use: its CPU affinity or its cgroups' quota, rounded up, whichever is less."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for group in _control_groups():
        old = [text_of(group / f"cpu.cfs_{each}_us") for each in ("quota", "period")]
        quota, period = text_of(group / "cpu.max").split() or old
        if quota.isdigit() and period.isdigit():
            allowed = min(allowed, -(-int(quota) // int(period)))
    return max(1, allowed)


def memory_limit() -> float:
    """The lowest memory limit of this process's cgroups, in bytes; infinite if there is none."""
    limits = [text_of(group / f"memory.{each}") for group in _control_groups() for each in ("max", "limit_in_bytes")]
    return min((float(limit) for limit in limits if limit.isdigit()), default=inf)


def _control_groups() -> Iterator[Path]:
    """The folders of this process's control groups (cgroup version 1 or 2) and of all groups around them.

    Folders need not exist: inside a container the path may not be valid, and the container's own group is the root.
    """
    for line in text_of(OWN_CGROUPS).splitlines():
        _, controllers, path = line.split(":", 2)  # version 2 names no controllers
        own = Path(path.lstrip("/"))
        for name in {controllers, *controllers.split(",")}:  # "cpu,cpuacct" may be a folder "cpuacct,cpu" with links
            yield from (CGROUPS / name / group for group in (own, *own.parents))
