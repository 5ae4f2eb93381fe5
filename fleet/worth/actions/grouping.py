"""Finding groups of agents that do the same job, and keeping what people said of earlier ones.

The whole fleet is compared where anything in it changed, and once a day. A pair that somebody
called different is left out until either of the two changes materially; a settled group stays.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from django.db import transaction

from fleet.worth.finding import Pairs, alike_pairs, groups_of
from fleet.worth.models import Different, DuplicateGroup, DuplicateMember, LikePair, LookMark
from fleet.worth.queries.jobs import agents_to_compare, jobs_of, material_of
from kernel import clock
from kernel.canonical import digest
from kernel.refs import new_id
from registry.actors import Actor
from registry.models import Agent, Role

_MARK: Final = "fleet"
AGAIN: Final = timedelta(days=1)
State = DuplicateGroup.State


def find_duplicates(*, actor: Actor) -> int:
    """Compare the fleet where it changed; return how many groups are open.

    Records: nothing; a group is a question, and what people say to it is on record.
    Raises: RoleMissing.
    """
    actor.require(Role.PLATFORM)
    LookMark.objects.bulk_create([LookMark(name=_MARK)], ignore_conflicts=True)
    return _look()


@transaction.atomic
def _look() -> int:
    mark = LookMark.objects.select_for_update().get(name=_MARK)
    agents, now = agents_to_compare(), clock.now()
    materials = {agent.pk: material_of(agent) for agent in agents}
    fleet = digest(sorted(f"{pk} {material}" for pk, material in materials.items()))
    is_recent = mark.looked_at is not None and now - mark.looked_at < AGAIN
    if fleet == mark.fleet and is_recent:
        return DuplicateGroup.objects.filter(state=State.OPEN).count()
    began = time.monotonic()
    pairs = alike_pairs(jobs_of(agents))
    for pair in _settled_pairs(materials):
        pairs.pop(pair, None)
    opened = _keep(groups_of(pairs), pairs, {agent.pk: agent for agent in agents}, materials)
    mark.fleet, mark.looked_at, mark.agents = fleet, now, len(agents)
    mark.took_ms = round(1000 * (time.monotonic() - began))
    mark.save(update_fields=["fleet", "looked_at", "agents", "took_ms"])
    return opened


def _settled_pairs(materials: Mapping[int, str]) -> set[tuple[int, int]]:
    """Pairs not to be asked about: called different as they are, or in one settled group."""
    found = {
        (row.one_id, row.other_id)
        for row in Different.objects.all()
        if materials.get(row.one_id) == row.one_material
        and materials.get(row.other_id) == row.other_material
    }
    confirmed: dict[int, list[int]] = {}
    rows = DuplicateMember.objects.filter(group__state=State.CONFIRMED)
    for group_id, agent_id in rows.values_list("group_id", "agent_id"):
        confirmed.setdefault(group_id, []).append(agent_id)
    for members in confirmed.values():
        found |= {(a, b) for a in members for b in members if a < b}
    return found


def _keep(
    groups: Sequence[Sequence[int]], pairs: Pairs, agents: Mapping[int, Agent],
    materials: Mapping[int, str],
) -> int:  # fmt: skip
    """Bring the open groups to what was found; one that overlaps keeps its name."""
    known = {group.pk: group for group in DuplicateGroup.objects.filter(state=State.OPEN)}
    held: dict[int, int] = dict(
        DuplicateMember.objects.filter(group__in=known).values_list("agent_id", "group_id")
    )
    now, kept = clock.now(), set()
    DuplicateMember.objects.filter(group__in=known).delete()
    LikePair.objects.filter(group__in=known).delete()
    for members in groups:
        within = [(pair, pairs[pair]) for pair in _pairs_of(members) if pair in pairs]
        score = round(1000 * max(found.score for _, found in within))
        group = next(
            (known[held[pk]] for pk in members if pk in held and held[pk] not in kept), None
        )
        if group is None:
            group = DuplicateGroup.objects.create(
                public_id=new_id("dup"), score_permille=score, found_at=now
            )
        elif group.score_permille != score:
            group.score_permille = score
            group.save(update_fields=["score_permille"])
        kept.add(group.pk)
        DuplicateMember.objects.bulk_create(
            [
                DuplicateMember(group=group, agent=agents[pk], material=materials[pk])
                for pk in members
            ]
        )
        LikePair.objects.bulk_create(
            [
                LikePair(
                    group=group, one_id=a, other_id=b, reasons=found.reasons,
                    score_permille=round(1000 * found.score),
                )
                for (a, b), found in within
            ]
        )  # fmt: skip
    gone = [pk for pk in known if pk not in kept]
    DuplicateGroup.objects.filter(pk__in=gone).update(
        state=State.GONE, settled_at=now, settled_by="system:duplicates"
    )
    return len(groups)


def _pairs_of(members: Sequence[int]) -> list[tuple[int, int]]:
    ordered = sorted(members)
    return [(a, b) for at, a in enumerate(ordered) for b in ordered[at + 1 :]]
