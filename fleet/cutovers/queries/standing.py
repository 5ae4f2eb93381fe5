"""Where one agent stands in a cutover, in the words of whoever asked for it."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from fleet.cutovers.models import Cutover, CutoverAgent
from registry.models import Agent


class Standing(StrEnum):
    """Where one agent stands in a cutover."""

    SIGNING = "signing"
    SHIFTING = "shifting"
    DONE = "done"
    BACK = "back"  # rolled back, left out, or the cutover was cancelled


_OF_AGENTS: Final = {
    CutoverAgent.State.WAITING: Standing.SIGNING,
    CutoverAgent.State.SIGNED: Standing.SIGNING,
    CutoverAgent.State.SHIFTING: Standing.SHIFTING,
    CutoverAgent.State.DONE: Standing.DONE,
}
_BACK: Final = (Cutover.State.ROLLED_BACK, Cutover.State.CANCELLED)


def standing_in(cutover: str, agent: Agent) -> Standing:
    """Return where an agent stands; out of a cutover that is not there, it is back."""
    rows = CutoverAgent.objects.filter(cutover__public_id=cutover, agent=agent)
    row = rows.select_related("cutover").first()
    if row is None or row.cutover.state in _BACK:
        return Standing.BACK
    return _OF_AGENTS.get(CutoverAgent.State(row.state), Standing.BACK)
