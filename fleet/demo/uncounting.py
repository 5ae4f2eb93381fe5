"""Taking out what was counted of demo agents: calls and runs, every sum, what people were told.

A sum of one agent goes with it; of a sum of everybody the demo's part is taken off, so that what
other agents did here since stays counted. Marks stay: what they are behind is counted already. A
quarter's list stays too: it is kept as it was shown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Final

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet, TextField

from fleet.campaigns.models import Campaign, Move
from fleet.cutovers.models import Cutover
from fleet.demo.clearing import clear
from fleet.discovery.models import Finding
from fleet.drift.models import Change, Hour, Watch
from fleet.evaluations.models import Evaluation
from fleet.health.models import Incident
from fleet.retiring.models import Retirement
from fleet.telling.models import Copy, Message
from fleet.worth.models import Listed, Quarter
from registry.models import Agent
from routing.models import Run, RunWord, Shift, ShiftMinute, ShiftStep, UsageFallback, UsageRoute
from routing.models.usage import SUMS

# The apps whose tables name an agent by its public id, and hold nothing that is evidence.
_COUNTING: Final = ("conformance", "health", "routing", "worth")
# What a message may be about: once that is gone, nobody needs to be told.
_ABOUT: Final[dict[str, type[Model]]] = {
    "agent": Agent, "campaign": Campaign, "cutover": Cutover, "evaluation": Evaluation,
    "finding": Finding, "incident": Incident, "move": Move, "retirement": Retirement,
    "watch": Watch,
}  # fmt: skip
_TAKEN: Final = ", ".join(f"{name} = kept.{name} - gone.{name}" for name in SUMS)
_SUMMED: Final = ", ".join(f"sum({name}) AS {name}" for name in SUMS)
_OF_EVERYBODY: Final = (
    f"UPDATE routing_usagetotal AS kept SET {_TAKEN} FROM ("  # noqa: S608  names of our own
    f" SELECT day, {_SUMMED} FROM routing_usageday WHERE agent_id = ANY(%(agents)s) GROUP BY 1"
    ") AS gone WHERE kept.day = gone.day",
    f"UPDATE routing_usageroute AS kept SET {_TAKEN} FROM ("  # noqa: S608
    f" SELECT day, route, vendor, model, {_SUMMED} FROM routing_usageday"
    " WHERE agent_id = ANY(%(agents)s) GROUP BY 1, 2, 3, 4"
    ") AS gone WHERE (kept.day, kept.route, kept.vendor, kept.model)"
    " = (gone.day, gone.route, gone.vendor, gone.model)",
    "UPDATE routing_usageroute AS kept SET attempts = kept.attempts - gone.attempts FROM ("
    " SELECT (started_at AT TIME ZONE 'UTC')::date AS day, route, vendor, model,"
    " count(*) AS attempts FROM routing_call"
    " WHERE agent_id = ANY(%(agents)s) AND status <> 'denied' AND made_for = ''"
    " GROUP BY 1, 2, 3, 4) AS gone WHERE (kept.day, kept.route, kept.vendor, kept.model)"
    " = (gone.day, gone.route, gone.vendor, gone.model)",
    "DELETE FROM routing_usagetotal WHERE calls <= 0 AND denied <= 0 AND input_tokens <= 0",
    "DELETE FROM routing_usageroute WHERE calls <= 0 AND denied <= 0 AND attempts <= 0",
)


@transaction.atomic
def forget_counted(agents: Collection[str]) -> None:
    """Remove what is counted of agents, by their public ids. Records: nothing."""
    named = list(agents)
    with connection.cursor() as cursor:
        for statement in _OF_EVERYBODY:
            cursor.execute(statement, {"agents": named})
    shifts = Shift.objects.filter(agent_id__in=named).values("public_id")
    for kind in (ShiftMinute, ShiftStep):
        kind._default_manager.filter(shift_id__in=shifts).delete()
    runs = Run.objects.filter(agent_id__in=named).values("run_id")
    RunWord.objects.filter(run_id__in=runs).delete()
    for table in _tables():
        table._default_manager.filter(agent_id__in=named).delete()
    _forget_routes()


@transaction.atomic
def forget_told() -> None:
    """Remove incidents of things that are not there any more, and what people were told of them.

    Records: nothing.
    """
    clear(Incident.objects.filter(pk__in=_of_what_is_gone(Incident.objects.filter(agent=None))))
    clear(Incident.objects.filter(kind="group", agents__isnull=True))
    told = _of_what_is_gone(Message.objects.all())
    gone = Message.objects.filter(Q(pk__in=told) | Q(subject__in=_lists_of_nobody()))
    keys = list(gone.values_list("pk", flat=True))
    gone = Message.objects.filter(pk__in=keys)
    Copy.objects.filter(message__in=gone).delete()
    gone.delete()


def _lists_of_nobody() -> list[str]:
    """Return the quarters' lists on which no agent stands that is still here."""
    here = Agent.objects.filter(public_id=OuterRef("agent_id"))
    living = Listed.objects.filter(Exists(here)).values("quarter")
    return [str(quarter.ref) for quarter in Quarter.objects.exclude(pk__in=living)]


def _of_what_is_gone(rows: QuerySet[Any]) -> list[int]:
    found = []
    for pk, subject in rows.values_list("pk", "subject"):
        kind, _, public_id = subject.partition(":")
        about = _ABOUT.get(kind)
        if about is not None and not about._default_manager.filter(public_id=public_id).exists():
            found.append(pk)
    return found


def _tables() -> Iterator[type[Model]]:
    for table in apps.get_models():
        names: dict[str, Any] = {field.attname: field for field in table._meta.concrete_fields}
        field = names.get("agent_id")
        is_named = isinstance(field, TextField) or (
            field is not None and not field.db_constraint  # a sum whose agent may be gone
        )
        if table._meta.app_label in _COUNTING and is_named and table is not Listed:
            yield table


def _forget_routes() -> None:
    """Remove what is counted of routes that nobody has called any more."""
    called = UsageRoute.objects.filter(route=OuterRef("route"))
    UsageFallback.objects.filter(~Exists(called)).delete()
    here = called.filter(vendor=OuterRef("vendor"), model=OuterRef("model"))
    watches = Watch.objects.filter(~Exists(here), plans__isnull=True)
    for kind in (Change, Hour):
        kind._default_manager.filter(watch__in=watches).delete()
    watches.delete()
