"""The smallest valid rows of discovery, made directly, and what the database refuses of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fleet.discovery.models import Evidence, Finding, MergeKey, NamedModel, Reading, Source
from kernel import clock
from kernel.refs import new_id
from registry.models import Person

BROKEN: list[tuple[str, str, dict[str, str]]] = [
    ("discovery_finding_settled_iff_stamped", "discovery_finding", {"state": "'merged'"}),
    ("discovery_finding_assigned_has_owner", "discovery_finding", {"state": "'assigned'"}),
    ("discovery_finding_ended_has_reason", "discovery_finding", {
        "state": "'blocked'", "settled_at": "now()"}),
    ("discovery_finding_risk_to_hundred", "discovery_finding", {"risk": "101"}),
    ("discovery_evidence_once", "discovery_evidence", {}),
    ("discovery_evidence_confidence_to_one", "discovery_evidence", {
        "batch": "'other'", "confidence": "1.5"}),
    ("discovery_namedmodel_once", "discovery_namedmodel", {}),
    ("discovery_source_hours_to_a_month", "discovery_source", {"every_hours": "0"}),
    ("discovery_reading_finished_iff_stamped", "discovery_reading", {
        "state": "'done'", "source_id": "NULL"}),
    ("discovery_reading_one_under_way", "discovery_reading", {}),
    ("discovery_reading_received_within_size", "discovery_reading", {"received": "size + 1"}),
]  # fmt: skip


def make_finding(title: str = "research-bot", **over: Any) -> Finding:
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("fnd"),
        "kind": "repository",
        "title": title,
        "sources": ["report"],
        "first_seen_at": now,
        "last_seen_at": now,
        "found_at": now,
    }
    return Finding.objects.create(**given | over)


def make_assigned(owner: Person, title: str = "research-bot", **over: Any) -> Finding:
    now = clock.now()
    due = now.date() + timedelta(days=14)
    return make_finding(
        title, **{"state": "assigned", "owner": owner, "assigned_at": now, "due_on": due} | over
    )


def make_source(name: str = "acme-openai", **over: Any) -> Source:
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("src"),
        "name": name,
        "kind": "openai",
        "base_url": "https://api.openai.com/v1",
        "next_at": now,
        "added_by": "system:test",
        "added_at": now,
    }
    return Source.objects.create(**given | over)


def make_reading(**over: Any) -> Reading:
    given: dict[str, Any] = {
        "public_id": new_id("rdg"),
        "kind": "squid",
        "title": "access.log",
        "asked_by": "system:test",
        "asked_at": clock.now(),
    }
    return Reading.objects.create(**given | over)


def make_rows() -> None:
    """Make one row of each kind."""
    now, finding = clock.now(), make_finding()
    MergeKey.objects.create(finding=finding, digest="d")
    Evidence.objects.create(
        finding=finding, source="report", batch="b", summary="s", confidence=0.5,
        first_seen_at=now, last_seen_at=now, recorded_at=now,
    )  # fmt: skip
    NamedModel.objects.create(finding=finding, path="app.py", line=1, model_id="gpt-5")
    make_reading(source=make_source())
