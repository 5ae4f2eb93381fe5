"""Recording the scenarios through a real gateway, with vendors that speak real shapes."""

from __future__ import annotations

from typing import Any

from routing.gateway.replaying.recorded import RecordedRun
from tests.golden.reading import runs_of
from tests.golden.scenarios import Scenario
from tests.routing.gateway.conftest import Agent, ServedGateway, eventually
from tests.routing.gateway.scripted import SECRET, ScriptedVendor, answer


class Recording:
    """A gateway, two vendors, a database."""

    def __init__(
        self,
        rig: Any,
        world: Any,
        served: ServedGateway,
        vendor: ScriptedVendor,
        other: ScriptedVendor,
    ) -> None:
        self._rig = rig
        self._world = world
        self._served = served
        self._vendor = vendor
        self._other = other

    def record(self, scenario: Scenario, count: int = 1) -> list[RecordedRun]:
        """Make runs of a scenario and return them as their record tells them."""
        agent = self._agent(scenario)
        self._vendor.script = scenario.script
        self._other.script = answer()
        before = len(self._vendor.seen)
        for number in range(count):
            got = agent.post(scenario.path, scenario.said(number))
            assert got.status != 503, got.body
        assert len(self._vendor.seen) >= before
        eventually(lambda: len(agent.calls()) >= count)
        return runs_of(self._rig, agent)

    def _agent(self, scenario: Scenario) -> Agent:
        world = self._world
        scheme = "x-api-key" if scenario.dialect == "anthropic" else "bearer"
        vendor, vendor_id = world.add_vendor(
            self._vendor.base_url, secret=SECRET, dialect=scenario.dialect, auth_scheme=scheme
        )
        models = [world.add_model(vendor)]
        if scenario.falls_back:
            other, _ = world.add_vendor(self._other.base_url)
            models.append(world.add_model(other, "second-1"))
        route = f"route-{vendor_id}"
        world.add_route(route, *models, constraints=scenario.constraints, options=scenario.options)
        declared = [{"name": name, "effect": "read"} for name in scenario.tools]
        row = world.add_agent(routes=[route], tools=declared, data_classes=scenario.data_classes)
        if scenario.spent:
            world.add_budget(0, subject_kind="agent", subject=row.public_id)
        agent = Agent(self._served.port, row.key)
        agent.world, agent.row, agent.route, agent.vendor_id = world, row, route, vendor_id
        agent.wait_until_known()
        return agent
