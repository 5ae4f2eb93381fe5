"""What the MCP server offers, without its wire: each tool a schema and a function of an agent.

The functions ask the same actions and queries as the REST API, with the agent's own key:
nothing can be done here that could not be done there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings

from effects.actions.proposing import Wanted, propose
from effects.models import Connection, Proposal
from effects.queries.offers import offered_operations
from effects.queries.proposals import proposal_for
from effects.waiting import LONGEST, wait_for
from kernel.errors import Invalid
from registry.actors import Actor
from registry.models import AgentKey, Role
from registry.queries import agents_for, similar_of
from registry.queries.agents import listed, matching

MOST_SHOWN: Final = 50
MOST_FOUND: Final = 20
_ALIKE: Final = 3


class ToolUnknown(Invalid):
    """Raised when a tool is called that this server does not have."""

    code = "effects.tool_unknown"
    title = "There is no such tool"


class ToolArgumentsInvalid(Invalid):
    """Raised when a tool is called with arguments that it does not take."""

    code = "effects.tool_arguments_invalid"
    title = "The tool does not take these arguments"


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: what models are told of it, what it takes, what it does."""

    name: str
    title: str
    description: str
    takes: Mapping[str, Any]
    needs: tuple[str, ...]
    does: Callable[[AgentKey, Mapping[str, Any]], dict[str, Any]]
    is_read_only: bool = True

    @property
    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": dict(self.takes),
            "required": list(self.needs),
            "additionalProperties": False,
        }


def call(name: str, key: AgentKey, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Do what a tool does, as the key's agent. Raises: ToolUnknown, and what the tool raises."""
    tool = next((one for one in TOOLS if one.name == name), None)
    if tool is None:
        raise ToolUnknown(f"There is no tool {name[:60]!r}.")
    _check(tool, arguments)
    return tool.does(key, arguments)


def shown(proposal: Proposal) -> dict[str, Any]:
    """Return how a proposal stands, as its agent may know it."""
    state = str(getattr(proposal, "standing", proposal.state))
    is_open = {Proposal.State.PROPOSED}
    if proposal.operation.connection.adapter == Connection.Adapter.AGENT:
        # The agent's own hands are let go by the worker, which looks again, and not before.
        is_open |= set(Proposal.UNDER_WAY)
    going = {*Proposal.UNDER_WAY, Proposal.State.SUCCEEDED} - is_open
    found: dict[str, Any] = {
        "id": proposal.public_id,
        "state": state,
        "target": proposal.operation.target,
        "is_decided": state not in is_open,
        "may_go_on": state in going,
        "rule": proposal.rule,
        "reason": proposal.reason,
        "edited": bool(proposal.decided_digest)
        and proposal.decided_digest != proposal.action_digest,
        "expires_at": proposal.expires_at.isoformat(),
    }
    if proposal.review_id:
        found["review_url"] = f"{settings.PUBLIC_URL}/reviews/{proposal.review_id}/"
    return found


def _check(tool: Tool, arguments: Mapping[str, Any]) -> None:
    wrong = [name for name in arguments if name not in tool.takes]
    missing = [name for name in tool.needs if name not in arguments]
    kinds: dict[str, Any] = {"string": str, "object": dict, "number": (int, float)}
    wrong += [
        name
        for name, value in arguments.items()
        if name in tool.takes
        and (not isinstance(value, kinds[tool.takes[name]["type"]]) or isinstance(value, bool))
    ]
    if wrong or missing:
        said = [f"{name[:60]!r} is not taken, or not so" for name in wrong]
        said += [f"{name} is missing" for name in missing]
        raise ToolArgumentsInvalid(f"{tool.name}: " + "; ".join(said) + ".")


def _propose(key: AgentKey, given: Mapping[str, Any]) -> dict[str, Any]:
    actor = Actor.agent(key.agent.ref)
    wanted = Wanted(
        adapter=given["adapter"],
        target=given["target"],
        arguments=given["arguments"],
        idempotency_key=given["idempotency_key"],
        run=given.get("run", ""),
    )
    made, is_new = propose(wanted, key=key, actor=actor)
    return shown(proposal_for(actor, made.public_id)) | {"is_new": is_new}


def _get(key: AgentKey, given: Mapping[str, Any]) -> dict[str, Any]:
    return shown(proposal_for(Actor.agent(key.agent.ref), given["id"]))


def _wait(key: AgentKey, given: Mapping[str, Any]) -> dict[str, Any]:
    def look() -> tuple[dict[str, Any], bool]:
        found = _get(key, given)
        return found, found["is_decided"]

    return wait_for(look, float(given.get("seconds", LONGEST)))


def _operations(key: AgentKey, given: Mapping[str, Any]) -> dict[str, Any]:
    words = given.get("search", "")
    rows = list(offered_operations(words)[: MOST_SHOWN + 1])
    return {
        "operations": [
            {
                "adapter": one.connection.adapter,
                "target": one.target,
                "title": one.title,
                "description": one.description,
                "effect": one.effect,
                "is_reversible": one.is_reversible,
                "arguments_schema": one.arguments_schema,
            }
            for one in rows[:MOST_SHOWN]
        ],
        "has_more": len(rows) > MOST_SHOWN,
    }


def _search(key: AgentKey, given: Mapping[str, Any]) -> dict[str, Any]:
    # With the eyes of its owner as an employee: what everybody may know, and no more.
    owner = Actor.of(key.agent.owner, [Role.EMPLOYEE])
    found = listed(matching(agents_for(owner), given["words"])).order_by("name")
    return {
        "agents": [
            {
                "name": one.name,
                "title": one.title,
                "description": one.description[:500],
                "owner": one.owner.email,
                "stage": one.stage,
                "similar": [
                    {"name": each.other.name, "score": each.score, "reasons": each.reasons}
                    for each in similar_of(one)[:_ALIKE]
                ],
            }
            for one in found[:MOST_FOUND]
        ]
    }


_TEXT: Final = {"type": "string"}
TOOLS: Final = (
    Tool(
        "propose_action",
        "Propose an action",
        "Ask for one action in another system. Nothing is done yet: policy decides, people may be"
        " asked, and a controlled executor then does exactly what was decided, at most once."
        " Send the same idempotency_key again after a failure; use a new one for a new action.",
        {
            "adapter": _TEXT | {"description": "As list_operations names it."},
            "target": _TEXT | {"description": "connection.operation"},
            "arguments": {"type": "object", "description": "As the operation's schema has them."},
            "idempotency_key": _TEXT | {"maxLength": 200},
            "run": _TEXT | {"description": "A label of your own for this piece of work."},
        },
        ("adapter", "target", "arguments", "idempotency_key"),
        _propose,
        is_read_only=False,
    ),
    Tool(
        "get_proposal",
        "How a proposal stands",
        "Return the state of a proposal of yours, and why.",
        {"id": _TEXT},
        ("id",),
        _get,
    ),
    Tool(
        "wait_for_decision",
        "Wait for a decision",
        f"Wait up to {LONGEST} seconds until a proposal is decided. People may take hours: where"
        " is_decided is false, do something else and ask again later.",
        {"id": _TEXT, "seconds": {"type": "number", "minimum": 0, "maximum": LONGEST}},
        ("id",),
        _wait,
    ),
    Tool(
        "list_operations",
        "What may be proposed",
        "List the operations that may be proposed, with the JSON Schema of their arguments.",
        {"search": _TEXT | {"description": "Words that must occur in the name or title."}},
        (),
        _operations,
    ),
    Tool(
        "search_registry",
        "Search the registry",
        "Find agents of this company by words: name, title, owner, and which are much alike.",
        {"words": _TEXT},
        ("words",),
        _search,
    ),
)
