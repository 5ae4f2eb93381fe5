"""What is said of an agent that comes to its end: to itself, and to those who would call it.

Owns the headers, which stand beside those of the model that served (an answer has one
`Deprecation` and one `Sunset`: the earlier of both), and the refusal of new runs once an
agent drains. A run that began before may end; which one did is asked of the database, for
these agents alone.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import lru_cache
from typing import Final, Protocol

from kernel.errors import Denied, DomainError
from routing.gateway.errors import AgentRetired
from routing.gateway.ports import Headers
from routing.gateway.runs import RunName
from routing.gateway.snapshot import Agent

DEPRECATION: Final = b"x-unsprawl-agent-deprecation"
SUNSET: Final = b"x-unsprawl-agent-sunset"
SUCCESSOR: Final = b"x-unsprawl-agent-successor"


class AgentDraining(Denied):
    """Raised for a new run of an agent whose end has come; runs that began before may end."""

    code = "routing.agent_draining"
    title = "The agent is being retired and begins no new run"


class BegunRuns(Protocol):
    """When runs began."""

    async def began_at(self, run_id: str) -> float | None:
        """Return when a run began; None for one that did not. Raises: NotGoverned."""


class NoBegunRuns:
    """Knows of no run: every one is new."""

    async def began_at(self, run_id: str) -> float | None:
        return None


NO_BEGUN_RUNS: Final = NoBegunRuns()


async def refuse_new_run(agent: Agent, run: RunName, begun: BegunRuns) -> None:
    """Let a run of a draining agent go on, and none begin. Raises: AgentDraining, NotGoverned."""
    ends_at = agent.ends_at
    if ends_at is None or agent.stage != "deprecated" or time.time() < ends_at:
        return
    began = None if run.is_new else await begun.began_at(run.run_id)
    if began is None or began >= ends_at:
        raise AgentDraining(
            f"Agent {agent.name} is being retired: since {_said(ends_at)} it begins no new run."
            f" Runs that began before may end.{follows(agent)}",
            successor=agent.successor,
        )


def retired(agent: Agent) -> DomainError:
    """Return the refusal of a retired agent; it names what took its place."""
    since = f" since {_said(agent.ends_at)}" if agent.ends_at is not None else ""
    facts = {"successor": agent.successor} if agent.successor else {}
    return AgentRetired(f"Agent {agent.name} is retired{since}.{follows(agent)}", **facts)


def follows(agent: Agent) -> str:
    """Return a sentence that names the successor; empty without one."""
    return f" Its successor is agent {agent.successor}." if agent.successor else ""


def headers(agent: Agent) -> Headers:
    """Return what an answer to an agent says of its own end; nothing while none is announced."""
    if agent.deprecated_at is None:
        return []
    return list(_headers(agent.deprecated_at, agent.ends_at, agent.successor))


@lru_cache(maxsize=4096)
def _headers(
    since: float, ends_at: float | None, successor: str
) -> tuple[tuple[bytes, bytes], ...]:
    found = [(DEPRECATION, f"@{int(since)}".encode())]
    if ends_at is not None:
        found.append((SUNSET, _http_date(ends_at)))
    if successor:
        found.append((SUCCESSOR, successor.encode()))
    return tuple(found)


def beside(model: Headers, agent: Agent) -> Headers:
    """Return the headers of the model that serves and of the agent's own end together."""
    own = dict(headers(agent))
    if not own:
        return model
    said = dict(model)
    merged = [(name, value) for name, value in model if name not in {b"deprecation", b"sunset"}]
    since = min(
        (value for value in (said.get(b"deprecation"), own[DEPRECATION]) if value), key=_since
    )
    merged.append((b"deprecation", since))
    ends = [value for value in (said.get(b"sunset"), own.get(SUNSET)) if value]
    if ends:
        merged.append((b"sunset", min(ends, key=_moment)))
    if successor := own.get(SUCCESSOR):
        link = b'</agents/%b/>; rel="successor-version"; title="agent %b"'
        merged.append((b"link", link % (successor, successor)))
    return merged + list(own.items())


def _since(value: bytes) -> int:
    return int(value.removeprefix(b"@"))


def _moment(value: bytes) -> float:
    return parsedate_to_datetime(value.decode()).timestamp()


def _http_date(moment: float) -> bytes:
    return format_datetime(datetime.fromtimestamp(int(moment), UTC), usegmt=True).encode()


def _said(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M} UTC"
