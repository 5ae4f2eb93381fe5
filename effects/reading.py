"""Opening what was proposed: the sealed action, as it was asked and as it was decided.

The service opens it to compare and to judge; a person's reading is on record, each time.
"""

from __future__ import annotations

from typing import Any

from effects.models import Proposal
from kernel.canonical import digest_bytes, strict_loads
from ledger.errors import EvidenceAltered
from ledger.payloads import open_recorded, read_payload
from registry.actors import Actor


def action_of(proposal: Proposal, *, decided: bool = False) -> dict[str, Any]:
    """Return the action as it was recorded, to the service itself.

    With ``decided`` it is the one in force: as a reviewer made it, where one edited it.
    Raises: EvidenceAltered, PayloadAbsent, PayloadShredded, PayloadsClosed.
    """
    entry, bound = _bound(proposal, decided=decided)
    return _checked(open_recorded(entry), bound)


def read_action(proposal: Proposal, *, actor: Actor, reason: str, decided: bool = False) -> Any:
    """Return the action to a person; that they read it is on record before they see it.

    Records: payload.read. Raises: as action_of does.
    """
    entry, bound = _bound(proposal, decided=decided)
    return _checked(read_payload(entry, actor=actor.ref, reason=reason), bound)


def digest_in_force(proposal: Proposal) -> str:
    """Return the digest of the action that an answer given now is to."""
    return _bound(proposal, decided=True)[1]


def _bound(proposal: Proposal, *, decided: bool) -> tuple[str, str]:
    if decided and proposal.decided_entry:
        return proposal.decided_entry, proposal.decided_digest
    return proposal.action_entry, proposal.action_digest


def _checked(raw: bytes, bound: str) -> dict[str, Any]:
    action = strict_loads(raw)
    if digest_bytes(raw) != bound or not isinstance(action, dict):
        raise EvidenceAltered("The recorded action is not the one that was asked about.")
    return action
