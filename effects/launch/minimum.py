"""What an agent's soft launch has to have shown before people are asked about live.

One minimum for each risk tier, stated in the settings. What is missing is said in
sentences; whoever asks nevertheless states an exception, which the reviewers see.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from effects.launch.figures import Figures, Share
from effects.launch.measuring import Launch


@dataclass(frozen=True, slots=True)
class Minimum:
    """What must be shown, shares in percent."""

    decided: int  # by people, in this soft launch
    each: int  # of every operation that was used
    agreement: int  # approved unchanged, of all that was decided
    lower: int  # what the agreement surely is: the lower end of its interval
    errors: int  # at most, of the effects that ended

    def facts(self) -> dict[str, int]:
        return {
            "decided": self.decided,
            "each": self.each,
            "agreement": self.agreement,
            "lower": self.lower,
            "errors": self.errors,
        }


def minimum_for(risk_tier: str) -> Minimum:
    """Return the minimum of a risk tier; of one that is not known, the strictest."""
    by_tier: dict[str, dict[str, int]] = settings.LAUNCH_MINIMUM
    return Minimum(**by_tier.get(risk_tier, by_tier["high"]))


def missing_of(launch: Launch, minimum: Minimum) -> list[str]:
    """Say in sentences what a soft launch has not shown yet; nothing when it has."""
    total = launch.total
    missing: list[str] = []
    if total.decided < minimum.decided:
        missing.append(f"{total.decided} of {minimum.decided} actions were decided by people")
    elif said := _disagreement(total.agreement, minimum):
        missing.append(said)
    for one in launch.operations:
        missing.extend(_missing_of_one(one, minimum))
    if total.ended and (total.errors.value or 0) * 100 > minimum.errors:
        missing.append(
            f"{_percent(total.errors)} of its effects failed or are not known;"
            f" at most {minimum.errors} % may"
        )
    return missing


def facts_of(launch: Launch, minimum: Minimum, missing: list[str]) -> dict[str, Any]:
    """Return what reviewers are shown, as it is at this moment."""
    return {
        "total": launch.total.facts(),
        "operations": [one.facts() for one in launch.operations],
        "minimum": minimum.facts(),
        "missing": missing,
    }


def _missing_of_one(one: Figures, minimum: Minimum) -> list[str]:
    if not (one.decided or one.expired or one.waiting):
        return []  # policy let it pass or refused it: people were never asked
    if one.decided < minimum.each:
        return [f"{one.operation} was decided {one.decided} of {minimum.each} times"]
    if (one.agreement.value or 0) * 100 < minimum.agreement:
        return [
            f"{one.operation} was approved unchanged in {_percent(one.agreement)};"
            f" {minimum.agreement} % is asked"
        ]
    return []


def _disagreement(agreement: Share, minimum: Minimum) -> str:
    if (agreement.value or 0) * 100 < minimum.agreement:
        return (
            f"{_percent(agreement)} were approved unchanged; {minimum.agreement} % is asked"
            f" ({agreement.part} of {agreement.whole})"
        )
    if agreement.lower * 100 < minimum.lower:
        return (
            f"{agreement.part} of {agreement.whole} shows an agreement of at least"
            f" {int(agreement.lower * 100)} %; {minimum.lower} % is asked"
        )
    return ""


def _percent(share: Share) -> str:
    # Never rounded up to what is asked.
    return f"{int(1000 * (share.value or 0)) / 10:g} %"
