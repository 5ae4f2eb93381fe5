"""Two models, a route, and agents that are to be moved: what the tests of cutovers begin with."""

from __future__ import annotations

from typing import Any, Final

from fleet.cutovers.actions.beginning import begin_cutover
from fleet.cutovers.actions.signing import sign_off
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import bound_digest
from kernel import clock
from registry.actors import Actor
from registry.models import Agent
from routing.models import Shift
from tests.factories import (
    actor,
    make_agent,
    make_call,
    make_cast,
    make_model,
    make_route,
    make_vendor,
)
from tests.fleet.evaluations.rows import make_arm, make_evaluation
from tests.transactions import wait_for_open_transactions

QUICK: Final = [
    {"percent": 10, "hold_seconds": 0, "least_calls": 10},
    {"percent": 100, "hold_seconds": 0, "least_calls": 10},
]
SWEEP: Final = Actor.system("cutover")


class World:
    """Two models, a route on the first, and agents of alice that call it."""

    def __init__(self) -> None:
        self.cast = make_cast()
        self.vendor = make_vendor(data_classes=["public", "internal", "confidential"])
        self.source = make_model(self.vendor, "old-1")
        self.target = make_model(self.vendor, "new-1")
        self.route = make_route("classify", self.source)
        self.pat, self.alice = actor(self.cast.pat), actor(self.cast.alice)
        self.bob = actor(self.cast.bob)

    def agent(self, name: str = "sorter", *, passed: bool = True, **over: Any) -> Agent:
        given: dict[str, Any] = {"owner": self.cast.alice, "stage": "live", "routes": ["classify"]}
        agent = make_agent(name, **given | over)
        if passed:
            evaluation = make_evaluation(
                agent, self.source, state="passed", digest="sha256:aa", ended_at=clock.now()
            )
            make_arm(evaluation, self.target, verdict="passed")
        return agent

    def begin(self, *agents: Agent, **over: Any) -> Cutover:
        given: dict[str, Any] = {
            "agents": agents,
            "source": self.source,
            "target": self.target,
            "evaluations": {},
            "subject": None,
            "actor": self.pat,
            "steps": QUICK,
        }
        return begin_cutover(**given | over)

    def started(self, *agents: Agent, **over: Any) -> Cutover:
        cutover = self.begin(*agents, **over)
        return sign_off(cutover.public_id, digest=bound_digest(cutover), actor=self.alice)

    def calls(self, agent: Agent, arm: str, count: int, **over: Any) -> None:
        shift = Shift.objects.get(agent_id=agent.public_id, ended_at=None)
        for _ in range(count):
            make_call(agent, shift=shift.public_id, arm=arm, **over)
        wait_for_open_transactions()
