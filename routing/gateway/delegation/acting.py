"""An agent that acts for another: may it, now, and within what.

Owns the check of each call and the narrowing. It holds only while every hand it went through
could still make such a call itself: nobody stopped, nothing ended, no right taken back since.
A narrower data class never opens a vendor: what is sent is judged by all that the acting
agent handles and all that it may have been handed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from kernel.errors import Denied, DomainError, Malformed
from ledger.entries import Fact
from routing.gateway.authenticate import Caller, agent_refusal
from routing.gateway.delegation.token import DEEPEST, Delegation, DelegationInvalid, DelegationKeys
from routing.gateway.detectors.words import without_credentials
from routing.gateway.requests import Request
from routing.gateway.runs import is_run_of
from routing.gateway.snapshot import Agent, Snapshot
from routing.gateway.tools.declared import SharedTools

HEADER = "x-unsprawl-delegation"
PARENT = "x-unsprawl-parent-run"
CLAIMED = "x-unsprawl-acting-for"
_HEADERS = frozenset(name.encode() for name in (HEADER, PARENT, CLAIMED))


class DelegationNotYours(Denied):
    """Raised when another agent than the one a delegation names presents it."""

    code = "routing.delegation_not_yours"
    title = "This delegation was made for another agent"


class DelegationExpired(Denied):
    """Raised for a delegation whose time is over."""

    code = "routing.delegation_expired"
    title = "This delegation has expired; ask the agent that gave it for another one"


class DelegationEnded(Denied):
    """Raised for one that was ended, or that went through an agent which may not call any more."""

    code = "routing.delegation_ended"
    title = "This delegation holds no more"


class ParentRunUnknown(Malformed):
    """Raised when a call names a parent run that nothing connects it with."""

    code = "routing.parent_run_unknown"
    title = "The parent run is neither the agent's own nor that of its delegation"


@dataclass(frozen=True, slots=True)
class Acting:
    """For whom a call is made, and in which run. ``claimed`` is the agent's word and no more."""

    delegation: Delegation | None = None
    parent_run: str = ""
    claimed: str = ""
    told: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def giver(self) -> str:
        """The agent that handed it on last; empty when an agent acts for itself."""
        return self.delegation.links[-1].agent_id if self.delegation is not None else ""

    @property
    def delegation_id(self) -> str:
        return self.delegation.public_id if self.delegation is not None else ""

    def refusal(self, snapshot: Snapshot) -> DomainError | None:
        """Say why a call may not be made, or go on, under its delegation."""
        if self.delegation is None:
            return None
        for link in self.delegation.links:
            if link.delegation_id in snapshot.ended_delegations:
                return DelegationEnded("The delegation was ended by the agent or person behind it.")
            agent = snapshot.agent_with(link.agent_id)
            if agent is None or agent_refusal(agent) or snapshot.stops.of_agent(agent):
                name = agent.name if agent is not None else link.agent_id
                return DelegationEnded(f"Agent {name}, which delegated this, may not call now.")
        if self.delegation.public_id in snapshot.ended_delegations:
            return DelegationEnded("The delegation was ended by the agent or person behind it.")
        return None

    def narrowed(self, agent: Agent, snapshot: Snapshot) -> Agent:
        """Return the acting agent with no more than each hand's rights of this moment."""
        if self.delegation is None:
            return agent
        rights = self.delegation.rights
        givers = [snapshot.agent_with(link.agent_id) for link in self.delegation.links]
        routes = {*agent.routes} & rights.routes
        tools = [*rights.lent().of]
        for giver in givers:
            routes &= {*giver.routes} if giver is not None else set()
            if giver is not None and giver.tools:
                tools.append(giver.tools)
        return replace(
            agent,
            routes=tuple(sorted(routes)),
            data_classes=tuple(sorted({*agent.data_classes} | rights.data_classes)),
            lent_tools=SharedTools(tuple(tools)),
        )

    def described(self, agent: Agent, snapshot: Snapshot) -> dict[str, object] | None:
        """What policy is told; None when an agent acts for nobody but itself."""
        if self.delegation is None:
            return None
        rights = self.delegation.rights
        shared = {*agent.data_classes} & rights.data_classes
        for link in self.delegation.links:
            giver = snapshot.agent_with(link.agent_id)
            shared &= {*giver.data_classes} if giver is not None else set()
        names = [_name(link.agent_id, snapshot) for link in self.delegation.links]
        return {
            "acting_for": names[0],
            "via": names,
            "data_classes": sorted(shared),
            "max_cost_micros": rights.max_cost_micros,
        }


NOBODY = Acting()


def acting_in(request: Request, caller: Caller, snapshot: Snapshot, keys: DelegationKeys) -> Acting:
    """Read for whom a call is made. Raises: Denied leaves, ParentRunUnknown, HeaderRepeated."""
    text, parent = request.header(HEADER), (request.header(PARENT) or "").strip()
    claimed = _claimed(request)
    if text is None:
        if parent and not is_run_of(caller.agent.public_id, parent):
            raise ParentRunUnknown(
                f"{PARENT} names a run of this agent by its id (run_…), or the run of the"
                f" delegation that comes with it in {HEADER}.",
            )
        return Acting(None, parent, claimed, _facts(None, parent, claimed))
    delegation = keys.read(text.strip())
    if not (1 <= len(delegation.links) <= DEEPEST):
        raise DelegationInvalid
    if delegation.holder != caller.agent.public_id:
        raise DelegationNotYours
    if delegation.expires_at <= time.time():
        raise DelegationExpired
    if parent and parent != delegation.parent_run:
        raise ParentRunUnknown(f"{PARENT} is not the run of the delegation in {HEADER}.")
    run = delegation.parent_run
    acting = Acting(delegation, run, claimed, _facts(delegation, run, claimed))
    if refusal := acting.refusal(snapshot):
        raise refusal
    return acting


def says_for_whom(request: Request) -> bool:
    """Tell whether a request has any of the headers."""
    return not _HEADERS.isdisjoint(request.headers)


def _facts(delegation: Delegation | None, parent: str, claimed: str) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    if parent:
        facts["parent_run"] = parent
    if delegation is not None:
        facts["acting_for"] = f"agent:{delegation.acting_for}"
        facts["via"] = [f"agent:{link.agent_id}" for link in delegation.links]
        facts["delegation"] = delegation.public_id
    if claimed:
        facts["acting_for_claimed"] = claimed
    return facts


def _claimed(request: Request) -> str:
    said = request.header(CLAIMED) or ""
    return "".join(filter(str.isprintable, without_credentials(said.strip())[:200]))


def _name(agent_id: str, snapshot: Snapshot) -> str:
    agent = snapshot.agent_with(agent_id)
    return agent.name if agent is not None else agent_id
