"""Giving and ending delegations: what an agent asks of the gateway with its own key.

Owns the guard of each, and that nothing is given that is not on record: the answer with the
signed text follows the commit of its entry.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from kernel import clock
from kernel.canonical import strict_loads
from kernel.errors import Denied, Malformed, NotFound
from kernel.refs import Ref, new_id
from ledger.entries import Fact
from ledger.journal import Row
from ledger.verbs import Verb
from routing.gateway.agent_end import follows
from routing.gateway.authenticate import Caller
from routing.gateway.delegation.acting import HEADER, NOBODY, Acting
from routing.gateway.delegation.rights import Rights, Wish
from routing.gateway.delegation.tables import DELEGATION_ENDS, DELEGATIONS
from routing.gateway.delegation.token import (
    DEEPEST,
    LONGEST_SECONDS,
    Delegation,
    DelegationInvalid,
    DelegationKeys,
    Link,
)
from routing.gateway.recording.attempt import Subject
from routing.gateway.recording.recorder import Recorder
from routing.gateway.requests import Request
from routing.gateway.runs import RunName, run_named, run_of
from routing.gateway.snapshot import Agent, Snapshot

USUAL_SECONDS: Final = 900
_KNOWN: Final = frozenset(
    {"to", "run", "routes", "tools", "data_classes", "max_cost_micros", "expires_in",
     "allow_cycles"}
)  # fmt: skip
_MOST: Final = 200


class DelegationUnreadable(Malformed):
    """Raised when a wish for a delegation lacks something or says something unknown."""

    code = "routing.delegation_unreadable"
    title = "The request for a delegation cannot be read"


class DelegateUnknown(NotFound):
    """Raised when no agent of that name could act for another."""

    code = "routing.delegate_unknown"
    title = "There is no such agent to delegate to"


class DelegateRetired(NotFound):
    """Raised when the agent named is retired, or takes on no new run any more."""

    code = "routing.delegate_retired"
    title = "The agent to delegate to is retired, or about to be"


class DelegationTooDeep(Denied):
    """Raised past the fifth hand."""

    code = "routing.delegation_too_deep"
    title = f"A delegation goes through at most {DEEPEST} hands"


class DelegationReturns(Denied):
    """Raised when a delegation would come back to an agent that it went through."""

    code = "routing.delegation_returns"
    title = "The delegation would return to an agent that is part of it"


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent asks for, read and not yet judged."""

    to: str
    run: str
    wish: Wish
    seconds: int
    may_return: bool


def read_wish(raw: bytes) -> Asked:
    """Read the body. Raises: DelegationUnreadable, NotJSON."""
    said = strict_loads(raw, limit=64 * 1024)
    if not isinstance(said, dict):
        raise DelegationUnreadable("The body must be a JSON object.")
    if unknown := sorted(said.keys() - _KNOWN):
        raise DelegationUnreadable(
            f"There is no member {unknown[0][:60]!r}; there are: {', '.join(sorted(_KNOWN))}.",
            param=unknown[0][:60],
        )
    seconds = _number(said, "expires_in", 1, LONGEST_SECONDS)
    routes, classes, tools = (_names(said, name) for name in ("routes", "data_classes", "tools"))
    wish = Wish(
        routes=None if routes is None else frozenset(routes),
        data_classes=None if classes is None else frozenset(classes),
        tools=tools,
        max_cost_micros=_number(said, "max_cost_micros", 0, 2**53 - 1),
    )
    may_return = said.get("allow_cycles", False)
    if not isinstance(may_return, bool):
        raise DelegationUnreadable("allow_cycles is true or false.", param="allow_cycles")
    to, run = _text(said, "to"), _text(said, "run", "")
    return Asked(to, run, wish, seconds or USUAL_SECONDS, may_return)


def granted(asked: Asked, caller: Caller, run: RunName, snapshot: Snapshot) -> Delegation:
    """Judge a wish.

    Raises: DelegateUnknown, DelegateRetired, DelegationTooDeep, DelegationReturns,
    DelegationWidens.
    """
    acting = caller.acting or NOBODY
    above = acting.delegation
    giver = caller.agent  # already narrowed to what it may do itself
    to = snapshot.agent_named(asked.to)
    if to is None or to.public_id == giver.public_id:
        raise DelegateUnknown(f"There is no other agent {asked.to[:100]!r}.", param="to")
    if to.stage == "retired" or (to.ends_at is not None and to.ends_at <= time.time()):
        raise DelegateRetired(
            f"Agent {to.name} is retired, or begins no new run any more.{follows(to)}", param="to"
        )
    links = (*(above.links if above else ()), _link(giver, run))
    if len(links) > DEEPEST:
        raise DelegationTooDeep
    may_return = asked.may_return and (above is None or above.may_return)
    if to.public_id in {link.agent_id for link in links} and not may_return:
        raise DelegationReturns(
            f"{to.name} is already part of this delegation. Say allow_cycles at its root, if that"
            " is meant."
        )
    own = Rights(frozenset(giver.routes), frozenset(_held(giver, above)))
    if above is not None:
        own = Rights(
            own.routes & above.rights.routes,
            own.data_classes & above.rights.data_classes,
            above.rights.tools,
            above.rights.max_cost_micros,
        )
    theirs = Rights(frozenset(to.routes), frozenset(to.data_classes))
    now = int(time.time())
    until = now + asked.seconds
    public_id = links[-1].delegation_id
    return Delegation(
        public_id=public_id,
        holder=to.public_id,
        links=links,
        rights=own.narrowed(asked.wish, theirs),
        made_at=now,
        expires_at=until if above is None else min(until, above.expires_at),
        may_return=may_return,
    )


def _link(giver: Agent, run: RunName) -> Link:
    return Link(new_id("dlg"), giver.public_id, run.run_id)


def _held(giver: Agent, above: Delegation | None) -> tuple[str, ...]:
    return giver.data_classes if above is None else tuple(above.rights.data_classes)


class Delegating:
    """The two addresses."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    async def give(
        self, raw: bytes, request: Request, caller: Caller, snapshot: Snapshot, keys: DelegationKeys
    ) -> dict[str, Any]:
        """Give a delegation; return what the agent is told. Raises: what `granted` raises."""
        asked = read_wish(raw)
        agent_id = caller.agent.public_id
        run = run_named(agent_id, asked.run) if asked.run else run_of(agent_id, request.header)
        delegation = granted(asked, caller, run, snapshot)
        text = keys.signed(delegation)
        if len(text) > 12 * 1024:
            raise DelegationUnreadable(
                "The delegation names so much that no header could carry it: name fewer routes"
                " and tools.",
            )
        await self._recorder.note(
            Subject.of(caller, run),
            Verb.DELEGATION_GIVEN,
            about=Ref("agent", delegation.holder),
            facts=_facts(delegation, caller.acting),
            rows=[Row(DELEGATIONS, _row(delegation))],
        )
        return {
            "id": delegation.public_id,
            "delegation": text,
            "to": asked.to,
            "run": run.run_id,
            "acting_for": f"agent:{delegation.acting_for}",
            "via": [f"agent:{link.agent_id}" for link in delegation.links],
            "expires_at": _moment(delegation.expires_at).isoformat(),
            **delegation.rights.written(),
        }

    async def end(self, text: str | None, caller: Caller, keys: DelegationKeys) -> dict[str, Any]:
        """End a delegation that the caller gave, or holds. Raises: DelegationInvalid."""
        if text is None:
            raise DelegationUnreadable(f"Send the delegation that is to end in {HEADER}.")
        delegation = keys.read(text.strip())
        agent_id = caller.agent.public_id
        mine = [link for link in delegation.links if link.agent_id == agent_id]
        if not mine and delegation.holder != agent_id:
            raise DelegationInvalid
        # Whoever gave it ends what they gave, and with it all that was made under that.
        ended = mine[0].delegation_id if mine else delegation.public_id
        now = clock.now()
        run = run_named(agent_id, mine[0].run_id if mine else delegation.public_id)
        facts: dict[str, Fact] = {"delegation": ended, "run": run.run_id}
        values = (
            ended,
            _moment(delegation.made_at + 2 * LONGEST_SECONDS),
            f"agent:{agent_id}",
            now,
        )
        await self._recorder.note(
            Subject.of(caller, run),
            Verb.DELEGATION_ENDED,
            about=Ref("agent", delegation.holder),
            facts=facts,
            rows=[Row(DELEGATION_ENDS, values)],
        )
        return {"id": ended, "ended_at": now.isoformat()}


def _facts(delegation: Delegation, acting: Acting | None) -> dict[str, Fact]:
    rights = delegation.rights
    facts: dict[str, Fact] = {
        "delegation": delegation.public_id,
        "acting_for": f"agent:{delegation.acting_for}",
        "via": [f"agent:{link.agent_id}" for link in delegation.links],
        "routes": sorted(rights.routes),
        "data_classes": sorted(rights.data_classes),
        "max_cost_micros": rights.max_cost_micros,
        "expires_at": _moment(delegation.expires_at).isoformat(),
    }
    if rights.tools:
        facts["tools"] = list(rights.tools[-1])
    if acting is not None and acting.delegation is not None:
        facts["under"] = acting.delegation.public_id
    return facts


def _row(delegation: Delegation) -> tuple[Any, ...]:
    links = delegation.links
    return (
        delegation.public_id,
        links[-2].delegation_id if len(links) > 1 else "",
        delegation.acting_for,
        links[-1].agent_id,
        delegation.holder,
        delegation.parent_run,
        len(links),
        _moment(delegation.made_at),
        _moment(delegation.expires_at),
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _text(said: dict[str, Any], name: str, default: str | None = None) -> str:
    value = said.get(name, default)
    if not isinstance(value, str) or (not value and default is None):
        raise DelegationUnreadable(f"{name} must be a text.", param=name)
    return value


def _number(said: dict[str, Any], name: str, least: int, most: int) -> int | None:
    value = said.get(name)
    if value is not None and (type(value) is not int or not least <= value <= most):
        raise DelegationUnreadable(f"{name} is a whole number from {least} to {most}.", param=name)
    return value


def _names(said: dict[str, Any], name: str) -> tuple[str, ...] | None:
    value = said.get(name)
    if value is None:
        return None
    sound = isinstance(value, list) and len(value) <= _MOST
    if not sound or not all(isinstance(one, str) and 0 < len(one) <= 200 for one in value):
        raise DelegationUnreadable(
            f"{name} is a list of at most {_MOST} names, each of at most 200 characters.",
            param=name,
        )
    return tuple(dict.fromkeys(value))
