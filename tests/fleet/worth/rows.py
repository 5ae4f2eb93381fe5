"""A row of each kind, and what the database must refuse of it: for the test of constraints."""

from __future__ import annotations

from datetime import timedelta

from fleet.conformance.models import DeviationSum, EdgeSum, ProcessSum, WeekSum
from fleet.worth.models import (
    Answer,
    DeclaredValue,
    Different,
    DuplicateGroup,
    DuplicateMember,
    LikePair,
    Listed,
    OutcomeDay,
    Quarter,
    WorthDay,
)
from kernel import clock
from registry.models import Agent

BROKEN: list[tuple[str, str, dict[str, str]]] = [
    ("conformance_processsum_one_per_process", "conformance_processsum", {}),
    ("conformance_weeksum_one_per_week", "conformance_weeksum", {}),
    ("conformance_edgesum_one_per_pair", "conformance_edgesum", {}),
    ("conformance_deviationsum_one_per_way", "conformance_deviationsum", {}),
    ("worth_outcomeday_one_per_action", "worth_outcomeday", {}),
    ("worth_worthday_one_per_day", "worth_worthday", {}),
    ("worth_declaredvalue_one_in_force", "worth_declaredvalue", {}),
    (
        "worth_declaredvalue_says_why",
        "worth_declaredvalue",
        {"because": "''", "ended_at": "now()"},
    ),
    ("worth_quarter_one_each", "worth_quarter", {}),
    ("worth_quarter_ends_later", "worth_quarter", {"until": "since", "name": "'2026-Q5'"}),
    ("worth_listed_one_per_agent", "worth_listed", {}),
    ("worth_answer_one_of_each", "worth_answer", {}),
    ("worth_answer_by_whose_right", "worth_answer", {"is_decision": "true"}),
    ("worth_answer_says_why", "worth_answer", {"because": "''"}),
    (
        "worth_duplicategroup_settled_iff_stamped",
        "worth_duplicategroup",
        {"state": "'confirmed'"},
    ),
    ("worth_duplicatemember_once", "worth_duplicatemember", {"is_open": "false"}),
    ("worth_duplicatemember_one_open_group", "worth_duplicatemember", {"group_id": "group_id + 1"}),
    ("worth_likepair_once", "worth_likepair", {}),
    ("worth_different_one_per_pair", "worth_different", {}),
    ("worth_different_in_order", "worth_different", {"one_id": "other_id", "other_id": "one_id"}),
]


def make_rows(agent: Agent, other: Agent) -> None:
    """Make one row of each table that has a constraint."""
    now, today = clock.now(), clock.now().date()
    sums = {"agent_id": agent.public_id, "process": "sha256:x"}
    ProcessSum.objects.create(**sums, first_at=now, last_at=now)
    WeekSum.objects.create(**sums, week=today)
    EdgeSum.objects.create(**sums, source="a", target="b")
    DeviationSum.objects.create(**sums, kind="order", step="a", first_at=now, last_at=now)
    OutcomeDay.objects.create(agent_id=agent.public_id, day=today, action="a.b")
    WorthDay.objects.create(agent_id=agent.public_id, day=today)
    DeclaredValue.objects.create(
        public_id="val_x", agent=agent, action="a.b", value_micros=1, because="why",
        declared_by="person:per_x", declared_at=now,
    )  # fmt: skip
    quarter = Quarter.objects.create(
        public_id="qtr_x", name="2026-Q4", since=today, until=today + timedelta(days=1),
        is_final=True, made_by="system:x", made_at=now,
    )  # fmt: skip
    listed = Listed.objects.create(
        public_id="lst_x", quarter=quarter, agent_id="agt_x", agent_name="a", title="A",
        owner="a@b.c", suggestion="keep", cost_micros=0, figures={},
    )  # fmt: skip
    Answer.objects.create(
        listed=listed, said="contested", is_decision=False, because="no",
        said_by="person:per_x", said_at=now,
    )  # fmt: skip
    group = DuplicateGroup.objects.create(public_id="dup_x", score_permille=900, found_at=now)
    DuplicateMember.objects.create(group=group, agent=agent, material="m")
    one, two = sorted((agent, other), key=lambda each: each.pk)
    LikePair.objects.create(group=group, one=one, other=two, score_permille=900, reasons=[])
    Different.objects.create(
        one=one, other=two, one_material="m", other_material="m", because="other jobs",
        said_by="person:per_x", said_at=now,
    )  # fmt: skip
