"""The processor time and memory of a process and its descendants, as Linux counts them in ``/proc``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return the process and its descendants, whichever of their threads started them."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += tree(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the processor time of these processes and all their threads so far, in steps of 10 ms."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids)
    return sum(int(numbers[11]) + int(numbers[12]) for numbers in fields) / _TICKS


def idle_seconds(core: int) -> float:
    """Return how long this core has been idle so far.

    The other numbers of the line are no use here: they are counted at ticks, and what runs once a millisecond is met by
    every one of them, or by none.
    """
    lines = (line.split() for line in Path("/proc/stat").read_text().splitlines())
    numbers = next(line for line in lines if line[0] == f"cpu{core}")
    return (int(numbers[4]) + int(numbers[5])) / _TICKS


def rss(pids: Iterable[int]) -> int:
    """Return the bytes in memory. Shared memory counts for each process: a server's master and worker share modules.

    From ``smaps_rollup``, because the numbers in ``stat`` and ``status`` may be some hundred kB late.
    """
    return sum(_rss(pid) for pid in pids)


def _rss(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Rss":
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"/proc/{pid}/smaps_rollup has no Rss")
