"""Giving a graph its answer: once to one taker, in the words its middleware understands.

A tool of the graph's own is approved, edited or rejected, and the graph does it: once the
worker has looked again and let it go, not before. What this service did itself is answered
with ``respond``, so that the graph does not do it again.
"""

from __future__ import annotations

from typing import Any, Final

from django.db.models.functions import Now

from approvals.models import Review, ReviewDecision
from effects.interrupts.errors import InterruptTaken
from effects.interrupts.shapes import resume_with
from effects.models import Connection, Interrupt, Proposal
from effects.queries.proposals import proposals_for
from effects.reading import action_of
from registry.actors import Actor

State = Proposal.State
_NO: Final = {State.DENIED, State.EXPIRED, State.WITHDRAWN}
_ENDED: Final = {
    State.SUCCEEDED: "Done by Unsprawl as decided. Do not do it again.",
    State.FAILED: "It was approved and tried, and surely not done.",
    State.UNKNOWN: "It was tried, and it is not known whether it was done. People look into it."
    " Do not do it again.",
}
_LATE: Final = "Nobody decided in time, which means no."
_BACK: Final = "It was withdrawn."
_NOT_LET_GO: Final = (
    "It was approved, and was void before it was let go: something it was bound to changed."
)
_AS_EDITED: Final = "It would be approved with other arguments, which this graph does not take."


def answer_of(interrupt: Interrupt, *, taker: str, actor: Actor) -> dict[str, Any]:
    """Return how an interrupt stands and, once all is decided, its answer, to one taker.

    Whoever asks first with an answer there has taken it, and may read it again.
    Records: nothing; what was decided is on record. Raises: InterruptTaken.
    """
    ids = [call["proposal"] for call in interrupt.calls]
    rows = {row.public_id: row for row in proposals_for(actor).filter(public_id__in=ids)}
    shown: dict[str, Any] = {
        "id": interrupt.public_id,
        "state": "waiting",
        "proposals": [{"id": each, "state": getattr(rows[each], "standing", "")} for each in ids],
        "taken_at": None,
    }
    if not all(_is_answered(rows[each]) for each in ids):
        return shown
    interrupt = _take(interrupt, taker)
    decisions = [_decision(rows[call["proposal"]], call) for call in interrupt.calls]
    resume = resume_with(decisions, interrupt.graph_id, is_single=interrupt.is_single)
    return shown | {
        "state": "decided",
        "taken_at": interrupt.taken_at,
        "decisions": decisions,
        "resume": resume,
    }


def _is_answered(proposal: Proposal) -> bool:
    # Approved is not yet let go: what it was bound to may change, and then it is void.
    state = getattr(proposal, "standing", proposal.state)
    return state in _NO or state in _ENDED


def _take(interrupt: Interrupt, taker: str) -> Interrupt:
    free = Interrupt.objects.filter(pk=interrupt.pk, taken_at__isnull=True)
    free.update(taken_at=Now(), taken_by=taker)
    interrupt.refresh_from_db()
    if interrupt.taken_by != taker:
        raise InterruptTaken(
            "Another process of this graph took the answer. What was decided is done once: ask"
            " for it anew, in an interrupt of its own.",
            taken_at=None if interrupt.taken_at is None else interrupt.taken_at.isoformat(),
        )
    return interrupt


def _decision(proposal: Proposal, call: dict[str, Any]) -> dict[str, Any]:
    state = State(getattr(proposal, "standing", proposal.state))
    if state in _NO:
        return {"type": "reject", "message": _why_not(proposal, state)}
    if not _is_graphs_own(proposal):
        return {"type": "respond", "message": _ENDED[state]}
    if state != State.SUCCEEDED:
        return {"type": "reject", "message": _NOT_LET_GO}
    if proposal.decided_digest == proposal.action_digest:
        return {"type": "approve"}
    if "edit" not in call["allowed"]:
        return {"type": "reject", "message": _AS_EDITED}
    arguments = action_of(proposal, decided=True)["arguments"]
    return {"type": "edit", "edited_action": {"name": call["name"], "args": arguments}}


def _why_not(proposal: Proposal, state: State) -> str:
    if state != State.DENIED:
        return _LATE if state == State.EXPIRED else _BACK
    rejected = ReviewDecision.objects.filter(
        review__public_id=proposal.review_id,
        review__state=Review.State.REJECTED,
        decision=ReviewDecision.Decision.REJECT,
    )
    said = rejected.order_by("-id").values_list("comment", flat=True).first()
    return str(said or proposal.reason)


def _is_graphs_own(proposal: Proposal) -> bool:
    return proposal.operation.connection.adapter == Connection.Adapter.AGENT
