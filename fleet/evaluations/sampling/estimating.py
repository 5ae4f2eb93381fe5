"""What an evaluation will cost and how long it will take, about, before it begins.

As many tokens as on the day, at each target's own price. Where a price is unknown there is no
estimate, and that is said; a golden case counts as the mean of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fleet.evaluations.sampling.drawing import Sample
from routing.models import Model

AT_ONCE: Final = 4
_USUAL_MS: Final = 2_000
_USUAL_TOKENS: Final = (500, 200)


@dataclass(frozen=True, slots=True)
class ArmEstimate:
    """One target: how many calls, and what they come to."""

    name: str
    is_baseline: bool
    calls: int
    micros: int | None
    currency: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """All targets together."""

    arms: tuple[ArmEstimate, ...]
    seconds: int

    @property
    def calls(self) -> int:
        return sum(arm.calls for arm in self.arms)

    @property
    def milliseconds(self) -> int:
        return self.seconds * 1000

    @property
    def micros(self) -> int | None:
        """Return the whole cost; None where any price is unknown."""
        known = [arm.micros for arm in self.arms if arm.micros is not None]
        return sum(known) if len(known) == len(self.arms) else None


def estimate_of(sample: Sample, candidates: list[Model], again: Model | None) -> Estimate:
    """Return what asking a sample of some models comes to."""
    read = [(step.input_tokens, step.output_tokens) for step in sample.steps]
    mean = _mean(read)
    read += [mean] * len(sample.golden)
    arms = [_arm(model, read, is_baseline=False) for model in candidates]
    if again is not None:
        arms.insert(0, _arm(again, read, is_baseline=True))
    took = [step.duration_ms for step in sample.steps] or [_USUAL_MS]
    each = sum(took) / len(took)
    seconds = each * len(read) * len(arms) / AT_ONCE / 1000
    return Estimate(tuple(arms), max(1, round(seconds)))


def price_of(model: Model, tokens_in: int, tokens_out: int) -> int | None:
    """Return what tokens cost on a model; None where a price is unknown."""
    if model.input_micros_per_mtok is None or model.output_micros_per_mtok is None:
        return None
    total = tokens_in * model.input_micros_per_mtok + tokens_out * model.output_micros_per_mtok
    return -(-total // 1_000_000)


def _arm(model: Model, read: list[tuple[int, int]], *, is_baseline: bool) -> ArmEstimate:
    whole = sum(one for one, _ in read), sum(other for _, other in read)
    return ArmEstimate(
        f"{model.vendor.name}/{model.name}",
        is_baseline,
        len(read),
        price_of(model, *whole),
        model.currency,
    )


def _mean(read: list[tuple[int, int]]) -> tuple[int, int]:
    if not read:
        return _USUAL_TOKENS
    return sum(one for one, _ in read) // len(read), sum(two for _, two in read) // len(read)
