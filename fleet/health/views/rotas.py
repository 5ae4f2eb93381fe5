"""Rotas as pages: who is on call for each team, the weeks ahead, and the forms that set them."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from fleet.health.actions.rotas import Turns, end_cover, set_cover, set_rota
from fleet.health.forms.rotas import CoverForm, RotaForm
from fleet.health.models import Rota
from fleet.health.queries.rotas import (
    Stretch,
    cover_for,
    covers_of,
    duty_of,
    may_set,
    people_by_id,
    rota_now,
    rotas_of,
    team_of_rota,
    weeks_of,
)
from kernel import clock
from kernel.errors import Denied, DomainError
from kernel.pages import asked, cut, found
from registry.actors import Actor
from registry.models import Person, Team
from registry.portal import sentence, signed_in, told
from registry.queries import teams_for

WEEKS: Final = 6
_SHOWN: Final = 60  # stretches in the table


@dataclass(frozen=True, slots=True)
class Block:
    """One stretch in the picture, in percent of its width."""

    left: float
    width: float
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Lane:
    """One person in the picture."""

    person: Person
    series: int
    blocks: list[Block]


@signed_in
@require_GET
def rotas(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the teams, and who is on call for each now."""
    rows = found(teams_for(actor), asked(request, "search"), "name", "slug")
    page = cut(request, rows, ordering="name")
    context = {
        "page": page,
        "lines": [(team, duty_of(team)) for team in page],
        "is_narrowed": bool(asked(request, "search")),
    }
    return render(request, "health/rotas.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def rota(request: HttpRequest, actor: Actor, team: str) -> HttpResponse:
    """Show a team's weeks ahead, and take another rota."""
    one = team_of_rota(actor, team)
    held = rotas_of(one)
    form = RotaForm(request.POST or None, team=one, now=_last(held))
    if request.method == "POST" and form.is_valid():
        try:
            set_rota(one, _turns(form), actor=actor)
        except DomainError as error:
            _tell(form, error)
        else:
            messages.success(request, "Set. The weeks ahead show who is on call when.")
            return redirect("health:rota", one.slug)
    return _page(request, actor, one, form, CoverForm(team=one))


@signed_in
@require_POST
def cover(request: HttpRequest, actor: Actor, team: str) -> HttpResponse:
    """Let somebody cover for a stretch."""
    one = team_of_rota(actor, team)
    form = CoverForm(request.POST, team=one)
    if form.is_valid():
        said = form.cleaned_data
        people = people_by_id([said["person"], said["instead_of"]])
        try:
            set_cover(
                one, people[said["person"]], instead_of=people.get(said["instead_of"]),
                starts_at=said["starts_at"] or clock.now(), ends_at=said["ends_at"], actor=actor,
            )  # fmt: skip
        except DomainError as error:
            _tell(form, error)
        else:
            messages.success(request, "Set. The weeks ahead show it.")
            return redirect("health:rota", one.slug)
    return _page(request, actor, one, RotaForm(None, team=one, now=_last(rotas_of(one))), form)


@signed_in
@require_POST
def end(request: HttpRequest, actor: Actor, team: str, cover: str) -> HttpResponse:
    """End a cover; the rota holds again."""
    one = team_of_rota(actor, team)
    with told(request):
        end_cover(cover_for(one, cover), actor=actor)
        messages.success(request, "Ended. The rota holds again.")
    return redirect("health:rota", one.slug)


@signed_in
@require_POST
def stop(request: HttpRequest, actor: Actor, team: str) -> HttpResponse:
    """End a team's rota from today on: the owners are told again."""
    one = team_of_rota(actor, team)
    now = rota_now(rotas_of(one), clock.now())
    with told(request):
        here = clock.now().astimezone(zoneinfo.ZoneInfo(now.zone if now is not None else "UTC"))
        nobody = Turns(
            (), now.zone if now is not None else "UTC", here.date(),
            here.time().replace(second=0, microsecond=0, tzinfo=None), 7,
            settings.INCIDENT_ESCALATE_MINUTES,
        )  # fmt: skip
        set_rota(one, nobody, actor=actor)
        messages.success(request, "Ended. Owners are told first again.")
    return redirect("health:rota", one.slug)


def _tell(form: RotaForm | CoverForm, error: DomainError) -> None:
    """Say a refusal in its form; what is forbidden goes further."""
    if isinstance(error, Denied):
        raise error
    form.add_error(None, sentence(error))


def _last(held: Sequence[Rota]) -> Rota | None:
    return held[-1] if held and held[-1].people else None


def _turns(form: RotaForm) -> Turns:
    said: dict[str, Any] = form.cleaned_data
    named = people_by_id(form.people())
    return Turns(
        [named[each] for each in form.people()], said["zone"], said["starts_on"],
        said["handover"], said["every"] * int(said["unit"]), said["minutes"],
    )  # fmt: skip


def _page(
    request: HttpRequest, actor: Actor, one: Team, form: RotaForm, cover_form: CoverForm
) -> HttpResponse:
    now = clock.now()
    since = now.replace(minute=0, second=0, microsecond=0)
    until = since + timedelta(weeks=WEEKS)
    held, stretches = rotas_of(one), weeks_of(one, since, until)
    context = {
        "team": one,
        "duty": duty_of(one, now),
        "rota": rota_now(held, now),
        "ahead": [each for each in held if each.starts_at > now],
        "lanes": _lanes(stretches, since, until),
        "weeks": _weeks(since, until),
        "stretches": stretches[:_SHOWN],
        "covers": list(covers_of(one, until=now)),
        "may_set": may_set(actor, one),
        "form": form,
        "cover_form": cover_form,
        "wait": settings.INCIDENT_ESCALATE_MINUTES,
    }
    status = 422 if form.errors or cover_form.errors else 200
    return render(request, "health/rota.html", context, status=status)


def _lanes(stretches: Sequence[Stretch], since: datetime, until: datetime) -> list[Lane]:
    whole, lanes = (until - since).total_seconds(), dict[int, Lane]()
    for each in stretches:
        if each.person is None:
            continue
        lane = lanes.setdefault(each.person.pk, Lane(each.person, len(lanes) % 6 + 1, []))
        left = 100 * (each.begins - since).total_seconds() / whole
        width = 100 * (each.ends - each.begins).total_seconds() / whole
        lane.blocks.append(Block(round(left, 3), round(width, 3), each))
    return list(lanes.values())


def _weeks(since: datetime, until: datetime) -> list[tuple[float, datetime]]:
    """Return where each week begins in the picture, and its day."""
    whole = (until - since).total_seconds()
    step = [since + timedelta(weeks=number) for number in range(WEEKS)]
    return [(round(100 * (at - since).total_seconds() / whole, 3), at) for at in step]
