"""Reading one run as its page shows it: sums, calls still under way, entries, payload pairs.

Everything is cut or summed in the database: a run of a million calls costs a page what a
run of ten does.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import (
    Count,
    Exists,
    ExpressionWrapper,
    F,
    Max,
    Min,
    OuterRef,
    Q,
    Sum,
)
from django.db.models import DateTimeField as Moment
from django.db.models import DurationField as Length

from ledger.entries import Fact
from ledger.errors import EvidenceAltered
from ledger.levels import Level
from ledger.models import Entry, Leaf
from ledger.queries import SeenEntry, seen
from ledger.receipts import level_of
from registry.actors import Actor
from registry.models import Team
from routing.errors import RunNotFound
from routing.models import Call, Model, Run
from routing.queries.calls import (
    ATTEMPTS,
    CALLS,
    FAILED_CALLS,
    SHADOWS,
    SUBSTITUTED,
    agents_of_seen_runs,
)

OPEN_SHOWN: Final = 50
_TALKED: Final = (Entry.Kind.INTENT, Entry.Kind.RESULT)


@dataclass(frozen=True, slots=True)
class RunSums:
    """What the calls of a run come to."""

    calls: int
    failed: int
    denied: int
    attempts: int
    shadows: int
    substituted: int
    estimated: int
    input_tokens: int
    output_tokens: int
    cost_micros: int
    unpriced: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def fallbacks(self) -> int:
        return self.attempts + self.denied - self.calls

    @property
    def length_ms(self) -> int | None:
        if self.first_at is None or self.last_at is None:
            return None
        return round((self.last_at - self.first_at) / timedelta(milliseconds=1))


@dataclass(frozen=True, slots=True)
class Chain:
    """How far one writer's chain of a run's stream has come."""

    writer: str
    entries: int
    last_seq: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the newest entry of a run has reached, and its place in which tree."""

    entry_id: str
    level: Level
    epoch: int | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What was sent to a model and what came back, as the ledger names them."""

    intent: SeenEntry
    result: SeenEntry | None


def sums_of(run: Run) -> RunSums:
    """Add the calls of a run up."""
    millisecond = timedelta(milliseconds=1)
    ended = ExpressionWrapper(
        F("started_at") + ExpressionWrapper(F("duration_ms") * millisecond, Length()), Moment()
    )
    row = Call.objects.filter(run_id=run.run_id).aggregate(
        calls=CALLS,
        failed=FAILED_CALLS,
        attempts=ATTEMPTS,
        shadows=SHADOWS,
        substituted=SUBSTITUTED,
        estimated=Count("id", filter=Q(usage_estimated=True)),
        denied=Count("id", filter=Q(status=Call.Status.DENIED)),
        tokens_in=Sum("input_tokens", default=0),
        tokens_out=Sum("output_tokens", default=0),
        cost=Sum("cost_micros", default=0),
        unpriced=Count("id", filter=~Q(status=Call.Status.DENIED) & Q(cost_micros__isnull=True)),
        first=Min("started_at"),
        last=Max(ended),
    )
    return RunSums(
        row["calls"], row["failed"], row["denied"], row["attempts"], row["shadows"],
        row["substituted"], row["estimated"], int(row["tokens_in"]), int(row["tokens_out"]),
        int(row["cost"]), row["unpriced"], row["first"], row["last"],
    )  # fmt: skip


def chains_of(run: Run) -> list[Chain]:
    """Return the chains of a run, one for each process that wrote it."""
    rows = (
        Entry.objects.filter(stream=run.run_id)
        .values("writer")
        .annotate(entries=Count("id"), last=Max("seq"), first_id=Min("id"))
        .order_by("first_id")
    )
    return [Chain(row["writer"], row["entries"], row["last"]) for row in rows]


def evidence_of(run: Run) -> Evidence | None:
    """Return how far the newest entry of a run has come into the tree; None without one."""
    newest = Entry.objects.filter(stream=run.run_id).order_by("-id").first()
    if newest is None:
        return None
    leaf = Leaf.objects.filter(entry=newest.id).first()
    level = level_of(newest.entry_id)
    if leaf is None:
        return Evidence(newest.entry_id, level)
    return Evidence(newest.entry_id, level, leaf.epoch, leaf.index)


def under_way(run: Run) -> list[SeenEntry]:
    """Return the calls of a run that have left and have not come back."""
    answers = Entry.objects.filter(kind=Entry.Kind.RESULT, intent_id=OuterRef("entry_id"))
    rows = Entry.objects.filter(~Exists(answers), stream=run.run_id, kind=Entry.Kind.INTENT)
    return [seen(row) for row in rows.order_by("id")[:OPEN_SHOWN]]


def exchange_of(run: Run, entry_id: str) -> Exchange:
    """Return both sides of a call by its intent's id; of any other step, the one there is.

    Raises: RunNotFound, EvidenceAltered.
    """
    said = "" if "\x00" in entry_id else entry_id
    rows = Entry.objects.filter(stream=run.run_id)
    first = rows.filter(entry_id=said).exclude(kind=Entry.Kind.RESULT).first()
    if first is None:
        raise RunNotFound(f"This run holds no step {entry_id[:80]!r} with a payload.")
    result = rows.filter(kind=Entry.Kind.RESULT, intent_id=first.entry_id).first()
    return Exchange(seen(first), None if result is None else seen(result))


def facts_of(run: Run, intents: Iterable[str]) -> dict[str, dict[str, Fact]]:
    """Return what the intents and the results of some calls say, by the intent's id.

    An entry that cannot be read says nothing here; the record's page says so.
    """
    named = list(intents)
    rows = Entry.objects.filter(
        Q(entry_id__in=named) | Q(intent_id__in=named), stream=run.run_id, kind__in=_TALKED
    )
    told: dict[str, dict[str, Fact]] = {}
    for row in rows:
        with suppress(EvidenceAltered):
            entry = seen(row)
            told.setdefault(entry.intent_id or entry.entry_id, {}).update(entry.facts)
    return told


def agents_with_runs(actor: Actor) -> list[tuple[str, str]]:
    """Return the agents a viewer may choose among; none for those who see every agent."""
    agents = agents_of_seen_runs(actor)
    if agents is None:
        return []
    return list(agents.order_by("name").values_list("name", "title")[:200])


def model_names() -> list[str]:
    """Return the names that models go by here."""
    names = Model.objects.order_by("name").values_list("name", flat=True).distinct()
    return list(names[:300])


def team_names() -> list[str]:
    """Return the names that teams go by in filters."""
    return list(Team.objects.order_by("slug").values_list("slug", flat=True)[:300])
