"""The criteria of the gate: what a candidate must hold to, with defaults that are sane.

Owns the bounds, their reading and their words. Shares are parts of one; a margin is how much
worse than the yardstick a candidate may be and still count as no worse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from fleet.evaluations.errors import CriteriaInvalid
from kernel.canonical import digest

# Each bound: the least and the most it may be, and what it says.
BOUNDS: Final[dict[str, tuple[float, float, str]]] = {
    "least_runs": (1, 1000, "runs are compared at least"),
    "steps_per_run": (1, 50, "steps of each run are asked at most"),
    "confidence": (0.8, 0.99, "is the confidence of every interval"),
    "failures_margin": (0.0, 0.5, "more of the calls may fail"),
    "format_margin": (0.0, 0.5, "fewer answers may keep the format"),
    "tools_margin": (0.0, 0.5, "fewer steps may call the same tools"),
    "tools_least": (0.0, 1.0, "of the steps call the same tools, where noise is unknown"),
    "refusals_margin": (0.0, 0.5, "more of the answers may be refusals"),
    "cost_ratio": (0.01, 100.0, "times the cost is allowed"),
    "latency_ratio": (0.01, 100.0, "times the time is allowed"),
    "golden_least": (0.0, 1.0, "of the golden cases must hold"),
    "text_least": (0.0, 1.0, "of the texts must be the same in meaning; 0 asks for nothing"),
}
WHOLE: Final = frozenset({"least_runs", "steps_per_run"})
_NAMES: Final = frozenset({"judge", "embeddings"})


@dataclass(frozen=True, slots=True)
class Criteria:
    """The bounds of one agent's gate."""

    least_runs: int = 30
    steps_per_run: int = 5
    confidence: float = 0.95
    failures_margin: float = 0.05
    format_margin: float = 0.05
    tools_margin: float = 0.10
    tools_least: float = 0.80
    refusals_margin: float = 0.05
    cost_ratio: float = 1.5
    latency_ratio: float = 2.0
    golden_least: float = 1.0
    text_least: float = 0.0
    judge: str = ""  # a route whose model says which of two answers is better
    embeddings: str = ""  # a route whose model tells how near two texts are

    @property
    def digest(self) -> str:
        return digest(self.told())

    def told(self) -> dict[str, Any]:
        return asdict(self)


DEFAULTS: Final = Criteria()


def read_criteria(said: Mapping[str, Any]) -> Criteria:
    """Read bounds; what is not said is the default. Raises: CriteriaInvalid."""
    known = {one.name for one in fields(Criteria)}
    if unknown := sorted(set(said) - known):
        raise CriteriaInvalid(
            f"There is no bound {unknown[0][:60]!r}. There are: {', '.join(sorted(known))}."
        )
    read: dict[str, Any] = {}
    for name, value in said.items():
        read[name] = _route(name, value) if name in _NAMES else _bound(name, value)
    return Criteria(**read)


def _bound(name: str, value: object) -> float | int:
    least, most, _ = BOUNDS[name]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not least <= value <= most:  # type: ignore[operator]
        raise CriteriaInvalid(f"{name} is a number from {least:g} to {most:g}.")
    if name not in WHOLE:
        return float(value)  # type: ignore[arg-type]
    if value != int(value):  # type: ignore[call-overload]
        raise CriteriaInvalid(f"{name} is a whole number.")
    return int(value)  # type: ignore[call-overload,no-any-return]


def _route(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > 100 or "\x00" in value:
        raise CriteriaInvalid(f"{name} is the name of a route, or empty.")
    return value.strip()
