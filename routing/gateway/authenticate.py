"""Who calls: one agent key, by one header, checked in constant time.

Owns the order of refusals. A wrong id and a wrong secret are the same refusal and the
same work; what is wrong with a key is said only to somebody who holds all of it.
"""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kernel import keys
from kernel.errors import DomainError
from kernel.keys import PepperRing
from routing.gateway import agent_end
from routing.gateway.errors import (
    AgentKilled,
    AgentNotApproved,
    AgentSuspended,
    KeyExpired,
    KeyMalformed,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    NotGoverned,
    TwoCredentials,
)
from routing.gateway.requests import Request
from routing.gateway.snapshot import Agent, Key, Snapshot
from routing.gateway.stops import Stops

if TYPE_CHECKING:
    from routing.gateway.delegation.acting import Acting

CALLABLE: Final = frozenset({"soft_launch", "live", "deprecated"})
_NOBODY: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Caller:
    """An agent and the key it came with."""

    key: Key
    agent: Agent
    acting: Acting | None = None  # for somebody, or in a run that belongs to another


def authenticate(request: Request, snapshot: Snapshot, peppers: PepperRing) -> Caller:
    """Return the caller. Raises: Malformed, Unauthenticated and Denied leaves."""
    text = presented(request)
    credential = keys.parse(text)
    if credential is None or credential.prefix != keys.AGENT_PREFIX:
        raise KeyMalformed(_why_malformed(text))
    key = snapshot.keys.get(credential.key_id)
    if key is None:
        hmac.compare_digest(peppers.hash(text), _NOBODY)
        raise KeyUnknown
    if not peppers.matches(text, key.digest, key.pepper_id):
        raise KeyUnknown
    agent = snapshot.agents.get(key.agent)
    if agent is None:
        raise NotGoverned
    if refusal := caller_refusal(key, agent, snapshot.stops):
        raise refusal
    return Caller(key, agent)


def presented(request: Request) -> str:
    """Return the credential of a request. Raises: KeyMissing, TwoCredentials, HeaderRepeated."""
    bearer = (request.header("authorization") or "").strip()
    if bearer:
        scheme, _, bearer = bearer.partition(" ")
        if scheme.lower() != "bearer":
            raise KeyMissing
        bearer = bearer.strip()
    api_key = (request.header("x-api-key") or "").strip()
    if bearer and api_key and not hmac.compare_digest(bearer.encode(), api_key.encode()):
        raise TwoCredentials(
            "Authorization and x-api-key carry two different credentials; send one of them."
        )
    if not bearer and not api_key:
        raise KeyMissing
    return bearer or api_key


def caller_refusal(key: Key, agent: Agent, stops: Stops) -> DomainError | None:
    """Say why a key and its agent may call nothing now, whatever policy says."""
    if agent.stage == "retired":
        return agent_end.retired(agent)  # its keys are revoked with it: that is the lesser news
    refusal = key_refusal(key) or agent_refusal(agent)
    if refusal is None and stops:
        return stops.of_caller(key, agent)
    return refusal


def key_refusal(key: Key) -> DomainError | None:
    """Say why a key does not hold now."""
    if key.is_revoked:
        return KeyRevoked()
    if key.expires_at <= time.time():
        return KeyExpired()
    return None


def agent_refusal(agent: Agent) -> DomainError | None:
    """Say why an agent may call nothing now, whatever policy says."""
    if agent.is_killed:
        return AgentKilled()
    if agent.is_suspended:
        return AgentSuspended()
    if agent.stage == "retired":
        return agent_end.retired(agent)
    if agent.stage not in CALLABLE:
        return AgentNotApproved(
            f"Agent {agent.name} is in stage {agent.stage} and may call models once it is"
            " approved. Its owner submits it for review in the portal."
        )
    return None


def _why_malformed(text: str) -> str:
    if text.startswith(f"{keys.PERSON_PREFIX}_"):
        return "This is a person's API token. The gateway takes an agent's key (usp_…)."
    if not text.startswith(f"{keys.AGENT_PREFIX}_"):
        return (
            "This is not an agent key (usp_…). A vendor's own key does not work here:"
            " make a key on the agent's page in the portal."
        )
    return ""
