"""What is on record of an agent on one model: runs to draw from, and steps that can be asked.

Headers and rows only: nothing that was said is opened here. Whether a payload is still there
and its key not destroyed is asked of the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max, Q, QuerySet, Sum

from fleet.evaluations.models import Arm
from fleet.evaluations.sampling.strata import RunSeen
from kernel import clock
from ledger.entries import leaf_hash
from ledger.errors import EvidenceAltered
from ledger.models import DataKey, Entry, Payload
from ledger.queries import SeenEntry, seen
from registry.models import Agent
from routing.models import Call, Model, Reevaluation, RunSummary
from routing.queries.reevaluations import ASKABLE

DAYS: Final = 90
MOST_RUNS: Final = 5_000
ALTERED: Final = "altered"  # an entry that is missing, or is not what was recorded
_FAILED: Final = (Call.Status.ERROR, Call.Status.INCOMPLETE, Call.Status.UNKNOWN)


@dataclass(frozen=True, slots=True)
class StepSeen:
    """One recorded call; ``gone`` says why it cannot be asked again."""

    run_id: str
    entry_id: str
    route: str
    operation: str
    status: str
    input_tokens: int
    output_tokens: int
    cost_micros: int | None
    duration_ms: int
    gone: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """What is on record of how calls ended, by the entry of each call's intent."""

    found: dict[str, SeenEntry]
    altered: tuple[str, ...]  # calls of which it is not what was recorded


def runs_on(agent: Agent, model: Model) -> list[RunSeen]:
    """Return the agent's newest runs that a model served, in the last ninety days.

    Runs that were made to compare models are no work of the agent's, and are left out.
    """
    calls = _calls(agent, model).filter(started_at__gte=clock.now() - timedelta(days=DAYS))
    rows = (
        calls.exclude(run_id__in=Reevaluation.objects.values("new_run_id"))
        .exclude(run_id__in=Arm.objects.values("run_id"))
        .values("run_id")
        .order_by()
        .annotate(
            at=Max("started_at"),
            route=Max("route"),
            failed=Count("id", filter=Q(status__in=_FAILED)),
            used=Sum("input_tokens") + Sum("output_tokens"),
        )
        .order_by("-at", "run_id")[:MOST_RUNS]
    )
    found = list(rows)
    sums = RunSummary.objects.filter(run_id__in=[row["run_id"] for row in found])
    known = {one.run_id: one for one in sums.only("run_id", "denied_count", "facets")}
    return [
        RunSeen(
            row["run_id"],
            row["at"],
            row["route"],
            _outcome(row["failed"], known.get(row["run_id"])),
            row["used"],
            _tools(known.get(row["run_id"])),
        )
        for row in found
    ]


def steps_on(agent: Agent, model: Model, run_ids: Sequence[str]) -> dict[str, list[StepSeen]]:
    """Return the calls of runs that a model served, in their order, by run."""
    rows = list(_calls(agent, model).filter(run_id__in=list(run_ids)).order_by("started_at", "id"))
    entries = _entries([row.intent_id for row in rows])
    gone = gone_of(list(entries.values()))
    # An answer that is not what was recorded is no yardstick, whatever was asked.
    gone |= dict.fromkeys(results_read(list(entries)).altered, ALTERED)
    found: dict[str, list[StepSeen]] = {run_id: [] for run_id in run_ids}
    for row in rows:
        entry = entries.get(row.intent_id)
        operation = "" if entry is None else str(entry.facts.get("operation") or "")
        why = ALTERED if entry is None else gone.get(entry.entry_id, "")
        if not why and operation not in ASKABLE:
            why = "kind"
        found[row.run_id].append(
            StepSeen(
                row.run_id,
                row.intent_id,
                row.route,
                operation,
                row.status,
                row.input_tokens,
                row.output_tokens,
                row.cost_micros,
                row.duration_ms,
                why,
            )
        )
    return found


def gone_of(entries: Sequence[SeenEntry]) -> dict[str, str]:
    """Return why payloads cannot be read, by entry; what is not named can be."""
    if not entries:
        return {}
    times = [entry.recorded_at for entry in entries]
    named = [entry.entry_id for entry in entries]
    stored = dict(
        Payload.objects.filter(
            entry_id__in=named, recorded_at__range=(min(times), max(times))
        ).values_list("entry_id", "dek_id")
    )
    keys = DataKey.objects.filter(dek_id__in=set(stored.values()), state=DataKey.State.ACTIVE)
    usable = set(keys.values_list("dek_id", flat=True))
    found: dict[str, str] = {}
    for entry in entries:
        if entry.payload is None:
            found[entry.entry_id] = "never_kept"
        elif entry.entry_id not in stored:
            found[entry.entry_id] = "dropped"
        elif stored[entry.entry_id] not in usable:
            found[entry.entry_id] = "erased"
    return found


def entries_named(entry_ids: Sequence[str]) -> list[SeenEntry]:
    """Return entries by their ids, as far as they are what was recorded."""
    return list(_entries(list(entry_ids)).values())


def results_of(intent_ids: Sequence[str]) -> dict[str, SeenEntry]:
    """Return the results of calls, by the entry of their intent, as far as they are whole."""
    return results_read(intent_ids).found


def results_read(intent_ids: Sequence[str]) -> Results:
    """Return the results of calls, and the calls whose result is not what was recorded."""
    rows = Entry.objects.filter(kind=Entry.Kind.RESULT, intent_id__in=list(intent_ids))
    found: dict[str, SeenEntry] = {}
    altered: list[str] = []
    for row in rows:
        try:
            told = whole(row)
        except EvidenceAltered:
            altered.append(str(row.intent_id))
            continue
        if told.intent_id:
            found[told.intent_id] = told
    return Results(found, tuple(altered))


def newest_at(agent: Agent, model: Model) -> datetime | None:
    """Return when a model last served an agent."""
    found = _calls(agent, model).order_by("-started_at").first()
    return None if found is None else found.started_at


def _calls(agent: Agent, model: Model) -> QuerySet[Call]:
    return Call.objects.filter(
        agent_id=agent.public_id,
        vendor=model.vendor.name,
        model=model.name,
        is_shadow=False,
        made_for="",  # what we asked ourselves is not what the agent asks
    ).exclude(status=Call.Status.DENIED)


def _entries(entry_ids: list[str]) -> dict[str, SeenEntry]:
    found: dict[str, SeenEntry] = {}
    for row in Entry.objects.filter(entry_id__in=entry_ids):
        with suppress(EvidenceAltered):
            found[row.entry_id] = whole(row)
    return found


def whole(row: Entry) -> SeenEntry:
    """Read an entry that is to be evidence. Raises: EvidenceAltered, also when it only reads well.

    Whoever changes the hash along with it is found by the chain and the tree: `manage.py verify`.
    """
    if leaf_hash(bytes(row.header)) != bytes(row.leaf_hash):
        raise EvidenceAltered(f"Entry {row.entry_id} is not what was recorded.")
    return seen(row)


def _outcome(failed: int, known: RunSummary | None) -> str:
    if failed:
        return "error"
    return "refused" if known is not None and known.denied_count else "ok"


def _tools(known: RunSummary | None) -> tuple[str, ...]:
    facets = known.facets if known is not None else []
    return tuple(sorted(one.removeprefix("tool:") for one in facets if one.startswith("tool:")))
