"""What those who govern must know of the record: that nothing is taken, or not yet proven."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db import connection

from ledger.suspended import QUERY
from ledger.tree_state import BEHIND, HALTED, STOPPED, tree_state
from registry.actors import Actor
from registry.queries import GOVERNING


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is not as it should be, and what follows from it."""

    tone: str
    title: str
    text: str
    found: str


_GOES_ON: Final = "Everything is recorded as ever. What demands a signed receipt is refused."
_SEQUENCER: Final = {
    STOPPED: ("warning", "No sequencer is active", _GOES_ON),
    BEHIND: ("warning", "The ledger's tree is behind", _GOES_ON),
    HALTED: ("error", "The sequencer has halted", f"{_GOES_ON} The runbook says what to do."),
}
_WITNESS: Final = {
    BEHIND: (
        "warning",
        "Nothing is witnessed right now",
        "Everything is recorded and signed. What demands a witness is refused.",
    ),
    HALTED: (
        "error",
        "A witness has seen another ledger than this",
        "Compare before anything else is done: the runbook says how.",
    ),
}


def record_notices(actor: Actor) -> list[Notice]:
    """Return what to say of the record on the home page of those who govern."""
    if not actor.has(*GOVERNING):
        return []
    with connection.cursor() as cursor:
        cursor.execute(QUERY)
        (suspended,) = cursor.fetchone() or (None,)
    if suspended is not None:
        text = "No call is made and no change is taken until an operator opens a further epoch."
        return [Notice("error", "The ledger is suspended", text, suspended)]
    state = tree_state()
    said = (
        (_SEQUENCER.get(state.sequencer), state.found),
        (_WITNESS.get(state.witness), state.witness_found),
    )
    return [Notice(*words, found) for words, found in said if words is not None]
