"""The targets that a call may still be tried on, and what kept it from the others.

Owns that each is looked at when its turn comes, on what is known by then: it is there and
not stopped, policy allows it, the call can be said there, a secret is lent for it, and it
is not left alone. Whatever was passed over is said on record with the next attempt.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Final

from policy.decision import Decision
from routing.gateway.breaker import Name
from routing.gateway.errand import Chosen, Errand, Means, Ready
from routing.gateway.errors import VendorNotReady
from routing.gateway.mapping.losses import CannotTranslate
from routing.gateway.shifting import TARGET
from routing.gateway.snapshot import Route, Target

LEFT_ALONE: Final = "breaker_open"


class Candidates:
    """The targets of one call, in order. Used once."""

    def __init__(self, means: Means, errand: Errand) -> None:
        self._means = means
        self._errand = errand
        self._targets: deque[Target] = deque()
        self._listed_on: Route | None = None
        self._skipped: list[Ready] = []
        self._unserved: list[tuple[Name, str]] = []
        self.passed_over: list[str] = []  # since the last intent, which said it of those before
        # What kept the call from the first target of each kind.
        self.refused: tuple[Target, Decision] | None = None
        self.not_ready: VendorNotReady | None = None
        self.unsaid: CannotTranslate | None = None

    def begin(self, chosen: Chosen) -> None:
        """Take the targets that were chosen, in their order."""
        self._targets, self._listed_on = deque(chosen.targets), chosen.route
        self.passed_over = [*chosen.passed_over]

    @property
    def are_left(self) -> bool:
        return bool(self._targets)

    @property
    def fallbacks(self) -> int:
        """How many did not serve so far."""
        return len(self._unserved)

    @property
    def fallback_reason(self) -> str:
        return self._unserved[-1][1] if self._unserved else ""

    def are_listed_on(self, route: Route) -> bool:
        """Tell whether a route is as it was when the targets were taken from it."""
        return route is self._listed_on

    def note_unserved(self, target: Target, reason: str) -> None:
        """Remember a target that was tried and did not serve."""
        self._unserved.append((target.breaker, reason))

    def put_back(self, target: Target) -> None:
        """Let a target be the next once more."""
        self._targets.appendleft(target)

    def pass_over(self, target: Target, why: str) -> None:
        self.passed_over.append(f"{target}: {why}")

    def drop(self, ready: Ready, why: str) -> None:
        """Pass over a target that was found, also as the last resort."""
        self._skipped = [each for each in self._skipped if each is not ready]
        self.pass_over(ready.target, why)

    async def next(self, chosen: Chosen, *, is_first: bool) -> Ready | None:
        """Return the next target that is there, allowed, lent a secret, and not left alone."""
        while self._targets:
            listed = self._targets.popleft()
            target = self._as_it_is(chosen, listed)
            if target is None:
                self.pass_over(listed, "disabled")
            elif (ready := await self._consider(chosen, target)) is not None:
                return ready
        if is_first and self._skipped:
            return self._least_bad()
        return None

    def _as_it_is(self, chosen: Chosen, target: Target) -> Target | None:
        if chosen.stops and chosen.stops.of_target(target):
            return None
        if chosen.route is self._listed_on:
            return target
        now = (*chosen.targets, *chosen.route.targets)
        found = next((each for each in now if each.breaker == target.breaker), None)
        return found if found is not None and found.is_enabled else None

    async def _consider(self, chosen: Chosen, target: Target) -> Ready | None:
        decision = await self._means.decider.decide(self._errand.facts(chosen, target))
        if not decision.allow:
            self.refused = self.refused or (target, decision)
            self._leave_to_source(target, decision.rule, "policy")
            return None
        try:
            passage, outgoing = self._errand.prepare(target)
        except VendorNotReady as error:
            self.not_ready = self.not_ready or error
            self._leave_to_source(target, "vendor_not_ready", "vendor_not_ready")
            return None
        except CannotTranslate as error:
            self.unsaid = self.unsaid or error
            why = f"cannot_translate {error.facts.get('param')}"
            self._leave_to_source(target, why, "cannot_translate")
            return None
        ready = Ready(chosen, target, decision, passage, outgoing)
        if self._means.breakers.takes(target.breaker, time.monotonic()):
            return ready
        self._skipped.append(ready)
        why = self._means.breakers.why(target.breaker) or LEFT_ALONE
        self._unserved.append((target.breaker, why))
        self.pass_over(target, why)
        return None

    def _leave_to_source(self, target: Target, why: str, reason: str) -> None:
        """Pass over a target; one that an agent is moved to counts as one that did not serve."""
        if target.arm is not None and target.arm.name == TARGET:
            self._unserved.append((target.breaker, reason))
        self.pass_over(target, why)

    def _least_bad(self) -> Ready:
        # A vendor's own answer tells an agent more than a refusal of ours would, and one call
        # more than the breakers allow is how a wrong guess of theirs is found out.
        breakers = self._means.breakers
        found = min(self._skipped, key=lambda each: breakers.opens_again(each.target.breaker))
        name = found.target.breaker
        self._unserved = [each for each in self._unserved if each[0] != name]
        return found
