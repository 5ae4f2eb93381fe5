"""One row of each table of retirements, for the tests of their constraints."""

from __future__ import annotations

from fleet.retiring.models import Batch, BatchItem, Retirement, Step
from kernel import clock
from registry.models import Agent


def make_ending_rows(agent: Agent) -> None:
    now = clock.now()
    retirement = Retirement.objects.create(
        public_id="rtm_x", agent=agent, stage_before="live", reason="r", planned_by="x:y",
        planned_at=now,
    )  # fmt: skip
    Step.objects.create(retirement=retirement, name="announced", place=0)
    batch = Batch.objects.create(
        public_id="bat_x", step="retire", made_by=agent.owner, total=1, made_at=now
    )
    BatchItem.objects.create(batch=batch, agent_id="agt_x", agent_name="x")
