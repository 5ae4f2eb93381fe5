"""What is lent outside: leases end with what they were lent to, or say why they do not.

A probe asks for the end of every lease of the agents that are stopped and waits for the worker.
A token that no server takes back is named with the time until which it may open.
"""

from __future__ import annotations

import time
from typing import Final

from credentials.leasing.ending import revoke_leases_of
from credentials.models import Lease
from kernel.refs import system
from routing.containment.paths import BEYOND, CONTAINED, OPEN, Evidence, Probe

_SCOPES: Final = frozenset({"agent", "owner", "team", "fleet"})
_PAUSE: Final = 0.1


class LentCredentials:
    """Leases of the agents that a stop covers."""

    def probe(self, probe: Probe) -> list[Evidence]:
        if probe.subject.scope not in _SCOPES:
            return []
        began = time.monotonic()
        agents = set(probe.subject.agents().values_list("public_id", flat=True))
        rows = Lease.objects.filter(agent_id__in=agents)
        if not rows.filter(state__in=Lease.OPEN).exists():
            return [Evidence("leases", CONTAINED, "Nothing is lent to it.")]
        held = rows.filter(state=Lease.State.ACTIVE).values_list("agent_id", flat=True)
        for agent_id in sorted(set(held)):
            revoke_leases_of(agent_id, actor=system("containment"), reason="It was stopped.")
        going = rows.filter(state__in=(Lease.State.ACTIVE, Lease.State.REVOKING))
        while (left := going.count()) and time.monotonic() - began < probe.seconds:
            time.sleep(_PAUSE)
        took = int((time.monotonic() - began) * 1000)
        resists = rows.filter(state=Lease.State.IRREVOCABLE).order_by("id")
        found = [_going(left, took) if left else _ended(took, but=resists.exists())]
        return found + _beyond(list(resists[:20]))


def _ended(took: int, *, but: bool) -> Evidence:
    how = "What else was lent is dead." if but else "What was lent is dead."
    return Evidence("leases", CONTAINED, how, milliseconds=took)


def _going(left: int, took: int) -> Evidence:
    how = f"{left} {'lease is' if left == 1 else 'leases are'} not known to be dead yet."
    advice = "See that a worker runs, look at the leases, and prove this stop again."
    return Evidence("leases", OPEN, how, advice, left, took)


def _beyond(leases: list[Lease]) -> list[Evidence]:
    return [
        Evidence(
            "leases",
            BEYOND,
            f"Lease {lease.public_id} ({lease.get_kind_display()}) is irrevocable"
            f" ({lease.fault}); it opens until {lease.expires_at:%Y-%m-%d %H:%M:%S} UTC at most."
            if lease.kind != Lease.Kind.POSTGRESQL_ROLE
            else f"The role {lease.handle} could not be dropped ({lease.fault}).",
            "Nobody here uses it any more. End it at the other system.",
            1,
        )
        for lease in leases
    ]
