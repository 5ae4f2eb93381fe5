"""What the demo company's agents ask to do, and what becomes of it, through the real actions.

One system is the service's own address, so that the worker does something real with what is
allowed there; at the other the agents act themselves once people have agreed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings

from approvals.actions import decide_review
from approvals.actions.channels import WantedChannel, add_channel, pause_channel
from approvals.models import Channel
from effects.actions.connections import WantedConnection, add_connection
from effects.actions.operations import WantedOperation, add_operation
from effects.actions.proposing import Wanted, propose
from effects.actions.withdrawing import withdraw_proposal
from effects.models import Connection, Proposal
from fleet.demo.building import guard_of
from fleet.demo.company import DOMAIN, Plan
from policy.bundle import DATA_FILE
from registry.actors import Actor
from registry.models import AgentKey
from rules.actions.settings import change_settings
from rules.actions.trying import ask_trial
from rules.queries.bundles import files_of, in_force

_TEXT: Final = {"type": "string", "maxLength": 400}
_REFUND: Final = {
    "type": "object",
    "required": ["order", "amount", "currency", "reason"],
    "properties": {
        "order": _TEXT,
        "amount": {"type": "number", "exclusiveMinimum": 0},
        "currency": {"enum": ["EUR", "USD"]},
        "reason": _TEXT,
    },
    "additionalProperties": False,
}
_PAGE: Final = {
    "type": "object",
    "properties": {"page": {"enum": ["healthz", "readyz"]}},
    "required": ["page"],
    "additionalProperties": False,
}
_STRICTER: Final = "Smaller amounts are asked about"


def act(keys: list[tuple[Plan, str]], *, actor: Actor, say: Callable[[str], None]) -> int:
    """Connect two systems, let agents propose, and have people decide; return how many.

    Records: what every action records. Raises: what any of them raises.
    """
    say("connections, proposals, a channel, a policy to try")
    if not Connection.objects.exists():
        _connect(actor)
    made = _propose({plan.name: key for plan, key in keys})
    if not Channel.objects.exists():
        wanted = WantedChannel(
            name="finance-approvals",
            kind=Channel.Kind.WEBHOOK,
            address=f"https://approvals.{DOMAIN}/reviews",
            carries=Channel.Carries.SUMMARY,
        )
        pause_channel(
            add_channel(wanted, actor=actor).channel, actor=actor, reason="Nobody is there."
        )
    _try_policy(actor)
    return made


def _connect(actor: Actor) -> None:
    orders = WantedConnection(name="orders", adapter="agent", title="Order desk")
    add_connection(orders, actor=actor)
    refund = WantedOperation(
        name="refund",
        title="Pay a refund",
        effect="money",
        idempotency="none",
        arguments_schema=_REFUND,
        template={"tool": "refund"},
    )
    add_operation("orders", refund, actor=actor)
    portal = WantedConnection(
        name="portal",
        adapter="http",
        title="This service itself",
        settings={"base_url": settings.PUBLIC_URL, "timeout_seconds": 5},
        credential="static",
        credential_settings={"header": "X-Demo"},
        secret="no-secret-of-the-demo",  # noqa: S106  nobody asks for it
        allow_private=True,
    )
    add_connection(portal, actor=actor)
    # The page that is read answers; no page there takes a note, so the other one fails.
    for name, method, effect in (("look", "GET", "read"), ("post-note", "POST", "write")):
        operation = WantedOperation(
            name=name,
            title="Look at a page" if effect == "read" else "Post a note",
            effect=effect,
            idempotency="none",
            is_reversible=True,
            arguments_schema=_PAGE,
            template={"method": method, "path": "/{page}"},
        )
        add_operation("portal", operation, actor=actor)


def _propose(keys: Mapping[str, str]) -> int:
    """Let three agents ask, and people answer some of it; the rest waits."""
    asking = _Asking(keys)
    for order, amount, currency in (
        ("4711", 40, "EUR"),
        ("4712", 180, "USD"),
        ("4713", 12_500, "EUR"),
    ):
        asking.refund(order, amount, currency)
    asking.refund("4714", 2_000_000, "EUR")  # more than policy lets anybody
    asking.answer(asking.refund("4715", 25, "EUR"), "approve")
    asking.answer(asking.refund("4716", 90, "EUR"), "reject", comment="It arrived undamaged.")
    corrected = asking.refund("4717", 250, "EUR")
    asking.answer(corrected, "approve", edited=_refund("4717", 25, "EUR"))
    asking.take_back(asking.refund("4718", 60, "EUR"))
    for number, page in enumerate(("healthz", "readyz")):
        asking.ask("ticket-triage", "http", "portal.look", {"page": page}, f"look-{number}")
    note = asking.ask("ticket-triage", "http", "portal.post-note", {"page": "healthz"}, "note")
    asking.answer(note, "approve")
    asking.ask("ticket-triage", "http", "portal.post-note", {"page": "readyz"}, "note-2")
    return asking.count


def _refund(order: str, amount: float, currency: str) -> dict[str, Any]:
    return {"order": order, "amount": amount, "currency": currency, "reason": "It came broken."}


class _Asking:
    """Agents that ask with their keys, and a person of security who answers."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        self.count = 0
        self._keys = {
            key.agent.name: key
            for key in AgentKey.objects.filter(public_id__in=keys.values()).select_related("agent")
        }
        self._guard = guard_of()

    def ask(
        self, name: str, adapter: str, target: str, arguments: Mapping[str, Any], label: str
    ) -> Proposal:
        key = self._keys[name]
        wanted = Wanted(adapter, target, arguments, f"demo-{label}", f"demo-{label}")
        made, is_new = propose(wanted, key=key, actor=Actor.agent(key.agent.ref))
        self.count += is_new
        return made

    def refund(self, order: str, amount: float, currency: str) -> Proposal:
        arguments = _refund(order, amount, currency)
        return self.ask("refund-advisor", "agent", "orders.refund", arguments, f"refund-{order}")

    def answer(self, made: Proposal, decision: str, **more: Any) -> None:
        if made.state == Proposal.State.PROPOSED:
            decide_review(made.review_id, actor=self._guard, decision=decision, **more)

    def take_back(self, made: Proposal) -> None:
        if made.state == Proposal.State.PROPOSED:
            withdraw_proposal(made.public_id, actor=Actor.agent(made.agent.ref))


def _try_policy(actor: Actor) -> None:
    """Add a stricter bundle and have the worker try it on last month; nobody activates it."""
    now = in_force()
    if now is None or type(now.bundle).objects.filter(title=_STRICTER).exists():
        return
    data = json.loads(files_of(now.bundle)[DATA_FILE])
    for limit in data["settings"]["actions"]["money"]["limits"].values():
        limit["ask_above"] = min(limit["ask_above"], 50)
    ask_trial(
        change_settings(now.bundle.public_id, data, title=_STRICTER, actor=actor), actor=actor
    )
