"""What the evidence amounts to: sums, risk, the likeliest owner and agent, and coming back.

Computed anew from all evidence each time, so that the order of imports does not matter.
Called inside the transaction that changed the evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any, Final

from fleet.discovery.actions.holding import (
    OF_ITSELF,
    flags_of,
    is_only_held,
    settle_held,
    signs_of,
)
from fleet.discovery.models import Evidence, Finding, NamedModel
from fleet.discovery.queries.held import still_held
from fleet.discovery.queries.matching import (
    SURE,
    Directory,
    Guess,
    likely_owners,
    resembling_agents,
)
from fleet.discovery.queries.retirements import Ending, endings_of
from fleet.discovery.queries.risk import risk_of
from fleet.discovery.signs import Flag
from kernel import clock
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb

_STILL_RUNS: Final = timedelta(hours=24)
_MODELS_KEPT: Final = 50
_FIELDS: Final = (
    "sources", "flags", "model_ids", "retires_on", "retiring_model", "confidence", "calls",
    "cost_micros", "risk", "risk_parts", "likely", "likely_reasons", "resembles",
    "resembles_reasons", "first_seen_at", "last_seen_at",
)  # fmt: skip


def judge_again(keys: Collection[int]) -> int:
    """Bring findings in step with their evidence; return how many belong to registered agents."""
    findings = list(Finding.objects.filter(pk__in=keys).select_related("owner", "agent"))
    said: dict[int, list[Evidence]] = {}
    for row in Evidence.objects.filter(finding__in=keys).order_by("pk"):
        said.setdefault(row.finding_id, []).append(row)
    places: dict[int, list[NamedModel]] = {}
    for place in NamedModel.objects.filter(finding__in=keys):
        places.setdefault(place.finding_id, []).append(place)
    endings = endings_of(_models(said.values(), places.values()))
    directory = _directory(findings, said)
    held = still_held(
        str(row.facts["held"]) for rows in said.values() for row in rows if "held" in row.facts
    )
    known = 0
    for finding in findings:
        rows = said.get(finding.pk, [])
        if rows:
            _sum(finding, rows, places.get(finding.pk, []), endings, held)
            known += _guess(finding, rows, directory)
    Finding.objects.bulk_update(findings, _FIELDS, batch_size=250)
    _date_places(places.values(), endings)
    for finding in findings:
        _come_back(finding)
        known += settle_held(finding, said.get(finding.pk, []), actor=OF_ITSELF)
    return known


def _models(said: Iterable[list[Evidence]], places: Iterable[list[NamedModel]]) -> set[str]:
    named = {name for rows in said for row in rows for name in row.model_ids}
    return named | {place.model_id for rows in places for place in rows}


def _sum(
    finding: Finding,
    rows: list[Evidence],
    places: list[NamedModel],
    endings: dict[str, Ending],
    held: set[str],
) -> None:
    strong = {place.model_id for place in places if not place.is_weak}
    used = {name for row in rows for name in row.model_ids} | strong
    ending = [endings[name] for name in used if name in endings]
    first = min(ending, key=lambda each: each.on, default=None)
    flags = flags_of(rows, held)
    if first is not None:
        flags.add(Flag.RETIRING.value)
    finding.sources = sorted({row.source for row in rows})
    finding.flags = sorted(flags)
    finding.model_ids = sorted(used)[:_MODELS_KEPT]
    finding.retires_on = first.on if first else None
    finding.retiring_model = first.model_id if first else ""
    finding.confidence = max(row.confidence for row in rows)
    # Several sources tell of the same calls: the largest figure, never their sum.
    finding.calls = max(row.calls for row in rows)
    finding.cost_micros = max(row.cost_micros for row in rows)
    finding.first_seen_at = min(row.first_seen_at for row in rows)
    finding.last_seen_at = max(row.last_seen_at for row in rows)
    risk = risk_of(
        flags,
        retires_on=finding.retires_on,
        model=finding.retiring_model,
        cost_micros=finding.cost_micros,
        today=clock.now().date(),
    )
    finding.risk, finding.risk_parts = risk.points, risk.parts


def _directory(findings: list[Finding], said: dict[int, list[Evidence]]) -> Directory:
    rows = [row for each in said.values() for row in each]
    found: Directory = Directory.of(
        [str(person["who"]) for row in rows for person in row.people],
        [str(name) for row in rows for name in row.facts.get("names", ())],
        [each.title for each in findings if each.kind == Finding.Kind.REPOSITORY],
    )
    return found


def _guess(finding: Finding, rows: list[Evidence], directory: Directory) -> int:
    owners = likely_owners((person for row in rows for person in row.people), directory)
    finding.likely = owners[0].person if owners else None
    finding.likely_reasons = _told(owners)
    agents = resembling_agents(
        dict.fromkeys(str(name) for row in rows for name in row.facts.get("names", ())),
        finding.title if finding.kind == Finding.Kind.REPOSITORY else "",
        finding.likely,
        directory,
        declared=next((str(row.facts["declared"]) for row in rows if "declared" in row.facts), ""),
    )
    finding.resembles = agents[0].agent if agents else None
    finding.resembles_reasons = _told(agents)
    if not agents or agents[0].confidence < SURE or not finding.is_open:
        return 0
    if finding.kind not in {Finding.Kind.REPOSITORY, Finding.Kind.AGENT}:
        return 0
    # Its own manifest says whose it is, and that agent is registered: nothing is unregistered.
    agent = agents[0].agent
    moved = Finding.objects.filter(pk=finding.pk, state=Finding.State.NEW).update(
        state=Finding.State.MERGED,
        agent=agent,
        settled_at=clock.now(),
        settled_by=str(OF_ITSELF),
        reason=agents[0].why,
    )
    if moved and agent is not None:
        record(
            Verb.FINDING_MERGED,
            finding.ref,
            actor=OF_ITSELF,
            facts={"kind": finding.kind, "agent": agent.public_id},
            agent_id=agent.public_id,
        )
    return moved


def _told(guesses: list[Guess]) -> list[dict[str, Any]]:
    return [each.told() for each in guesses[:5]]


def _date_places(places: Iterable[list[NamedModel]], endings: dict[str, Ending]) -> None:
    changed = []
    for place in (each for rows in places for each in rows):
        ending = endings.get(place.model_id)
        on = ending.on if ending else None
        if place.retires_on != on:
            place.retires_on = on
            changed.append(place)
    NamedModel.objects.bulk_update(changed, ["retires_on"], batch_size=500)


def _come_back(finding: Finding) -> None:
    """Open a finding again that was dismissed for less, or is still seen after it was to end."""
    is_news = (
        finding.state == Finding.State.DISMISSED
        and finding.settled_signs != signs_of(finding)
        and not (finding.settled_by == str(OF_ITSELF) and is_only_held(finding))
    )
    still_runs = (
        finding.state == Finding.State.BLOCKED
        and finding.settled_at is not None
        and finding.last_seen_at > finding.settled_at + _STILL_RUNS
    )
    # What belonged to an agent that has ended since, and is used all the same, is nobody's.
    ended = finding.agent.retired_at if finding.agent is not None else None
    outlives = (
        finding.state in {Finding.State.CLAIMED, Finding.State.MERGED}
        and ended is not None
        and finding.last_seen_at > ended + _STILL_RUNS
    )
    if not (is_news or still_runs or outlives):
        return
    moved = Finding.objects.filter(pk=finding.pk, state=finding.state).update(
        state=Finding.State.NEW,
        owner=None,
        assigned_at=None,
        due_on=None,
        reminded=None,
        settled_at=None,
        settled_by="",
        settled_signs="",
        reason="",
        forgotten_at=None,
    )
    if moved:
        why = "other evidence than when it was dismissed"
        if not is_news:
            why = "seen after it was blocked" if still_runs else "seen after its agent was retired"
        facts: dict[str, Fact] = {"kind": finding.kind, "why": why}
        record(Verb.FINDING_REOPENED, finding.ref, actor=OF_ITSELF, facts=facts)
