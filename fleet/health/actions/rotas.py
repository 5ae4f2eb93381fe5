"""Setting a team's rota and its covers: the team's own people do, and the platform."""

from __future__ import annotations

import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from django.db import transaction

from fleet.health.errors import RotaNotUsable
from fleet.health.models import Cover, Rota
from fleet.health.queries.rotas import MOST_PEOPLE, covers_of, may_set
from fleet.health.rota import moment_of
from kernel import clock
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Person, Role, Team

FARTHEST: Final = timedelta(days=366)
LONGEST_SHIFT: Final = 92
LONGEST_COVER: Final = timedelta(days=92)
MOST_COVERS: Final = 200
MOST_MINUTES: Final = 1440


@dataclass(frozen=True, slots=True)
class Turns:
    """Who takes turns, from when on, and for how long; nobody ends the rota."""

    people: Sequence[Person]
    zone: str
    starts_on: date
    handover: time
    length_days: int
    minutes: int  # until the next one is called


@transaction.atomic
def set_rota(team: Team, turns: Turns, *, actor: Actor) -> Rota:
    """Let a team's people take turns from a day on; until then the rota before goes on.

    One that was to begin on the same day or later is replaced by it.
    Records: rota.set. Raises: RoleMissing, RotaNotUsable.
    """
    _require(actor, team)
    _locked(team)
    now = clock.now()
    starts_at = _checked(team, turns, now)
    later = Rota.objects.filter(team=team, starts_at__gte=starts_at, replaced_at__isnull=True)
    later.update(replaced_at=now)
    rota = Rota.objects.create(
        public_id=new_id("rot"), team=team, people=[each.public_id for each in turns.people],
        zone=turns.zone, starts_on=turns.starts_on,
        handover_time=turns.handover.replace(second=0, microsecond=0),
        length_days=turns.length_days, minutes=turns.minutes, starts_at=starts_at,
        set_by=str(actor.ref), set_at=now,
    )  # fmt: skip
    facts: dict[str, Fact] = {
        "team": team.slug, "people": list(rota.people), "zone": rota.zone,
        "from": clock.stamp(starts_at), "handover": f"{rota.handover_time:%H:%M}",
        "days": rota.length_days, "minutes": rota.minutes,
    }  # fmt: skip
    record(Verb.ROTA_SET, rota.ref, actor=actor.ref, facts=facts)
    return rota


@transaction.atomic
def set_cover(
    team: Team,
    person: Person,
    *,
    starts_at: datetime,
    ends_at: datetime,
    actor: Actor,
    instead_of: Person | None = None,
) -> Cover:
    """Give somebody a team's duty for a stretch; of covers that overlap, the one set last counts.

    Records: cover.set. Raises: RoleMissing, RotaNotUsable.
    """
    _require(actor, team)
    _locked(team)
    now = clock.now()
    _require_members(team, [person])
    if instead_of == person:
        raise RotaNotUsable("Somebody covers for another person, not for themselves.")
    if not starts_at < ends_at <= starts_at + LONGEST_COVER or ends_at <= now:
        raise RotaNotUsable("A cover ends after it begins, in the future, within 92 days.")
    if starts_at > now + FARTHEST:
        raise RotaNotUsable("A cover begins within a year.")
    if covers_of(team).count() >= MOST_COVERS:
        raise RotaNotUsable(f"A team has at most {MOST_COVERS} covers ahead; end some first.")
    cover = Cover.objects.create(
        public_id=new_id("cov"), team=team, person=person, instead_of=instead_of,
        starts_at=starts_at, ends_at=ends_at, set_by=str(actor.ref), set_at=now,
    )  # fmt: skip
    facts: dict[str, Fact] = {
        "team": team.slug, "person": person.public_id,
        "instead_of": instead_of.public_id if instead_of is not None else "",
        "from": clock.stamp(starts_at), "until": clock.stamp(ends_at),
    }  # fmt: skip
    record(Verb.COVER_SET, cover.ref, actor=actor.ref, facts=facts)
    return cover


@transaction.atomic
def end_cover(cover: Cover, *, actor: Actor) -> None:
    """End a cover, or take back one that is ahead; the rota holds again.

    Records: cover.ended. Raises: RoleMissing.
    """
    _require(actor, cover.team)
    now = clock.now()
    live = Cover.objects.filter(pk=cover.pk, ended_at__isnull=True, ends_at__gt=now)
    if live.update(ended_at=now):
        record(Verb.COVER_ENDED, cover.ref, actor=actor.ref, facts={"team": cover.team.slug})


def _require(actor: Actor, team: Team) -> None:
    if not may_set(actor, team):
        actor.require(Role.PLATFORM)


def _locked(team: Team) -> None:
    # Two who set a rota at once: the second one sees the first one's.
    Team.objects.select_for_update(no_key=True).get(pk=team.pk)


def _checked(team: Team, turns: Turns, now: datetime) -> datetime:
    if turns.zone not in zoneinfo.available_timezones():
        raise RotaNotUsable(f"There is no time zone {turns.zone[:60]!r}; write Europe/Berlin.")
    if not 1 <= turns.length_days <= LONGEST_SHIFT:
        raise RotaNotUsable("A shift lasts from a day to 92 days.")
    if not 1 <= turns.minutes <= MOST_MINUTES:
        raise RotaNotUsable("The next one is called after 1 to 1440 minutes.")
    if abs(turns.starts_on - now.date()) > FARTHEST:
        raise RotaNotUsable("A rota begins within a year of today.")
    if len(turns.people) > MOST_PEOPLE:
        raise RotaNotUsable(f"A rota has at most {MOST_PEOPLE} people.")
    if len({each.pk for each in turns.people}) != len(turns.people):
        raise RotaNotUsable("Name each person once.")
    _require_members(team, turns.people)
    return moment_of(turns.starts_on, turns.handover.replace(second=0, microsecond=0), turns.zone)


def _require_members(team: Team, people: Sequence[Person]) -> None:
    for each in people:
        if not each.is_active or each.team_id != team.pk:
            raise RotaNotUsable(f"{each} is not in {team}: only its people see its incidents.")
