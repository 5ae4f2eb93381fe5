"""The smallest valid rows of evaluations, made directly."""

from __future__ import annotations

from typing import Any

from fleet.evaluations.criteria import DEFAULTS
from fleet.evaluations.models import Arm, Asking, Case, Evaluation, GateCriteria, GoldenCase
from kernel import clock
from kernel.refs import new_id
from registry.models import Agent
from routing.models import Model


def make_evaluation(agent: Agent, baseline: Model, **over: Any) -> Evaluation:
    version = agent.current_version
    given: dict[str, Any] = {
        "public_id": new_id("evl"),
        "agent": agent,
        "version_digest": version.digest if version is not None else "",
        "baseline": baseline,
        "baseline_name": f"{baseline.vendor.name}/{baseline.name}",
        "criteria": DEFAULTS.told(),
        "criteria_digest": DEFAULTS.digest,
        "seed": "seed",
        "runs": 1,
        "sample_digest": "sha256:00",
        "requested_by": "system:test",
        "requested_at": clock.now(),
    }
    return Evaluation.objects.create(**given | over)


def make_arm(evaluation: Evaluation, model: Model, **over: Any) -> Arm:
    given: dict[str, Any] = {
        "evaluation": evaluation,
        "kind": "candidate",
        "model": model,
        "target": f"{model.vendor.name}/{model.name}",
        "run_id": new_id("run"),
        "label": "arm",
    }
    return Arm.objects.create(**given | over)


def make_golden(agent: Agent, name: str = "refund", **over: Any) -> GoldenCase:
    given: dict[str, Any] = {
        "public_id": new_id("gld"),
        "agent": agent,
        "name": name,
        "expects": "exact",
        "route": "sandbox",
        "entry_id": new_id("ent"),
        "digest": "sha256:00",
        "added_by": "system:test",
        "added_at": clock.now(),
    }
    return GoldenCase.objects.create(**given | over)


def make_rows(agent: Agent, model: Model) -> None:
    """Make one row of every kind."""
    now = clock.now()
    evaluation = make_evaluation(agent, model)
    arm = make_arm(evaluation, model)
    case = Case.objects.create(
        public_id=new_id("cas"), evaluation=evaluation, kind="recorded", run_id="run_x",
        entry_id="ent_x", route="sandbox", operation="chat",
    )  # fmt: skip
    Asking.objects.create(arm=arm, case=case)
    make_golden(agent)
    GateCriteria.objects.create(
        agent=agent, number=1, said={}, digest="sha256:00", set_by="system:test", set_at=now
    )


# What the database refuses of these rows: constraint, table, the one thing that is wrong.
BROKEN: list[tuple[str, str, dict[str, str]]] = [
    ("evaluations_criteria_one_per_number", "evaluations_gatecriteria", {}),
    ("evaluations_criteria_numbered", "evaluations_gatecriteria", {"number": "0"}),
    ("evaluations_golden_one_live", "evaluations_goldencase", {"number": "2"}),
    (
        "evaluations_golden_one_per_number",
        "evaluations_goldencase",
        {"state": "'retired'", "ended_at": "now()"},
    ),
    ("evaluations_golden_ended_iff_not_live", "evaluations_goldencase", {"ended_at": "now()"}),
    ("evaluations_evaluation_ended_iff_over", "evaluations_evaluation", {"ended_at": "now()"}),
    ("evaluations_evaluation_report_has_digest", "evaluations_evaluation", {"digest": "'d'"}),
    ("evaluations_arm_names_its_model", "evaluations_arm", {"model_id": "NULL"}),
    ("evaluations_arm_once", "evaluations_arm", {}),
    ("evaluations_case_once", "evaluations_case", {}),
    ("evaluations_case_of_run_or_golden", "evaluations_case", {"run_id": "''"}),
    ("evaluations_asking_once", "evaluations_asking", {}),
    (
        "evaluations_asking_asked_iff_stamped",
        "evaluations_asking",
        {"asked_at": "now()"},
    ),
]
