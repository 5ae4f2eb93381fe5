"""How a cutover is drawn where security decides on it, and the track of its steps."""

from __future__ import annotations

from typing import Any, Final

from approvals.models import Review
from fleet.cutovers.models import Cutover
from fleet.cutovers.queries.cutovers import rows_of
from registry.actors import Actor

_SHOWN: Final = 30


def draw_cutover(review: Review, actor: Actor) -> tuple[str, dict[str, Any]]:
    """Draw what a review is about: whereto, by which steps, and who would move."""
    rows = Cutover.objects.select_related("source__vendor", "target__vendor")
    cutover = rows.filter(public_id=review.subject_ref.id).first()
    if cutover is None:  # taken out with a demo company
        return "cutovers/_gone.html", {}
    listed = rows_of(cutover)
    return "cutovers/_matter.html", {
        "cutover": cutover,
        "track": track_of(cutover),
        "rows": list(listed[:_SHOWN]),
        "total": listed.count(),
    }


def track_of(cutover: Cutover) -> list[dict[str, str]]:
    """Return its steps, and which of them are behind it."""
    is_over = cutover.state in {Cutover.State.DONE, Cutover.State.SETTLED}
    moves = cutover.state in Cutover.MOVING
    track = [{"label": "Agreed", "state": "done" if cutover.started_at else "now"}]
    for number, step in enumerate(cutover.steps):
        now = "now" if moves and number == cutover.step else ""
        passed = is_over or (cutover.started_at and number < cutover.step)
        track.append({"label": f"{step['percent']} %", "state": "done" if passed else now})
    return [*track, {"label": "Done", "state": "done" if is_over else ""}]
