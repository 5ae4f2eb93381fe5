"""Which entries a viewer may name: those of runs they see, and what agents' pages show."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from ledger.errors import EntryNotFound
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Role
from registry.queries.agents import agents_for
from routing.queries.calls import agents_of_seen_runs

# Why something is held or was destroyed is for those who oversee, and the agent's owners.
_NOT_HISTORY = Q(verb__startswith="hold.") | Q(verb__startswith="erasure.")
_HISTORY = (Entry.Kind.CHANGE, Entry.Kind.REVIEW, Entry.Kind.EFFECT)


def entries_shown_to(actor: Actor) -> QuerySet[Entry]:
    """Return the entries whose header this viewer may see."""
    seen = agents_of_seen_runs(actor)
    if seen is None:
        return Entry.objects.all()
    mine = Q(agent_id__in=seen.values("public_id")) | Q(actor=str(actor.ref))
    if actor.has(Role.EMPLOYEE):
        known = agents_for(actor).values("public_id")
        mine |= Q(agent_id__in=known, kind__in=_HISTORY) & ~_NOT_HISTORY
    return Entry.objects.filter(mine)


def entry_shown_to(actor: Actor, entry_id: str) -> str:
    """Return an entry's id when this viewer may see the entry. Raises: EntryNotFound."""
    said = "" if "\x00" in entry_id else entry_id
    if not entries_shown_to(actor).filter(entry_id=said).exists():
        raise EntryNotFound
    return said
