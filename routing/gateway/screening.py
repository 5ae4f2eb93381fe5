"""A call's texts, looked at before it leaves; its answer's, on the way back.

Owns what becomes of a call when something is found, or when looking fails: both are refused
before anything reaches a vendor, and both are on record, in numbers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from routing.gateway.detectors.document import screened_document
from routing.gateway.detectors.rules import Rules, Tally
from routing.gateway.detectors.text import Blocked
from routing.gateway.errors import DataBlocked, DetectorFailed
from routing.gateway.looking import FAULTS, OFFLOAD_BYTES, LookingStage, facts_of
from routing.gateway.protection import REQUEST, RESPONSE, KindUnknown, Protection
from routing.gateway.relay import Asked, Stage, Withheld
from routing.gateway.snapshot import Target


@dataclass(frozen=True, slots=True)
class DataScreen:
    """Detectors over calls."""

    protection: Protection

    def concerns(self, asked: Asked) -> bool:
        protection, options = self.protection, asked.route.options
        if not (options.detectors or protection.defaults or protection.by_class):
            return False
        route, agent = asked.route, asked.agent
        return any(protection.actions(route, agent, one) for one in (REQUEST, RESPONSE))

    async def screen(self, asked: Asked) -> Asked:
        protection, tally = self.protection, Tally()
        rules: Rules | None = None
        try:
            # The answer's too: what cannot be looked at is not asked for.
            protection.rules(protection.actions(asked.route, asked.agent, RESPONSE))
            actions = protection.actions(asked.route, asked.agent, REQUEST)
            if not actions:
                return asked
            rules = protection.rules(actions)
            if len(asked.raw) > OFFLOAD_BYTES:
                return await asyncio.to_thread(_screened, asked, rules, tally)
            return _screened(asked, rules, tally)
        except Blocked as blocked:
            found = ", ".join(f"{kind} ({count})" for kind, count in sorted(tally.found.items()))
            error = DataBlocked(
                f"The call holds data that this route does not let through: {found}.",
                rule=f"data.{blocked.kind}",
            )
            facts = facts_of(tally, rules, REQUEST) if rules is not None else {}
            raise Withheld(error, facts) from None
        except KindUnknown as error:
            unknown = DetectorFailed(f"The route looks for something unknown here: {error}.")
            raise Withheld(unknown) from None
        except FAULTS:
            raise Withheld(DetectorFailed()) from None

    def stage(self, asked: Asked, target: Target) -> Stage | None:
        """Return what looks at the answer; None when nothing does."""
        protection, options = self.protection, asked.route.options
        if not (options.detectors or protection.defaults or protection.by_class):
            return None
        actions = protection.actions(asked.route, asked.agent, RESPONSE)
        if not actions:
            return None
        return LookingStage(protection.rules(actions), asked.wire.operation)


def _screened(asked: Asked, rules: Rules, tally: Tally) -> Asked:
    made = screened_document(asked.raw, rules, tally)
    facts = facts_of(tally, rules, REQUEST)
    if not facts:
        return asked
    told = {**asked.told, "found": sorted(tally.found)} if tally.found else asked.told
    return replace(asked.rewritten(made, facts), told=told)
