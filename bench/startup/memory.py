"""What processes hold in memory, as the kernel counts it.

RSS counts a page that two processes share twice, PSS shares it out; so PSS adds up.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Held:
    """The memory of one process with all its children."""

    processes: int
    rss_mib: float
    pss_mib: float


def held_by(pid: int, *, with_children: bool = True) -> Held:
    """Return what a process and everything it started hold now."""
    sizes = [_sizes(one) for one in (_family(pid) if with_children else [pid])]
    found = [size for size in sizes if size]
    return Held(
        len(found),
        round(sum(size["Rss"] for size in found) / 1024, 1),
        round(sum(size["Pss"] for size in found) / 1024, 1),
    )


def _sizes(pid: int) -> dict[str, int]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    except OSError:
        return {}  # it ended while we looked
    return {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}


def _family(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent(entry), []).append(int(entry.name))
    family, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        family.append(one)
        waiting += children.get(one, [])
    return family


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0
