"""Taking a graph's interrupt in: every call becomes a proposal, all of them or none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.db import transaction
from django.db.models.functions import Now

from effects.actions.proposing import Wanted, propose
from effects.arguments import check_arguments
from effects.interrupts.errors import InterruptChanged, InterruptNotFound, InterruptUnreadable
from effects.interrupts.shapes import Call, read_interrupt
from effects.models import Connection, Interrupt, Operation
from effects.queries.offers import operation_at
from kernel.canonical import digest
from kernel.db import refused_as
from kernel.refs import new_id
from registry.actors import Actor
from registry.models import AgentKey

LONGEST_ID: Final = 120


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a graph hands in: its interrupt, and where its tools are declared."""

    graph_id: str
    value: Any
    connection: str
    response_schema: Any = None
    run: str = ""

    def digest(self) -> str:
        """Name the request. Raises: NotCanonical."""
        return digest({"value": self.value, "connection": self.connection, "run": self.run})


def ask_for_graph(stopped: Stopped, *, key: AgentKey, actor: Actor) -> Interrupt:
    """Propose what a graph waits for, and keep which answers it takes. The same again is the same.

    Records: what proposing each call records. Raises: InterruptUnreadable, InterruptChanged,
    OperationUnknown, ArgumentsInvalid, and what `propose` raises.
    """
    agent, asked = key.agent, stopped.digest()
    if not (0 < len(stopped.graph_id) <= LONGEST_ID and stopped.graph_id.isprintable()):
        raise InterruptUnreadable(
            f"id is the interrupt's id, of 1 to {LONGEST_ID} printable characters.", member="id"
        )
    earlier = Interrupt.objects.filter(agent=agent, graph_id=stopped.graph_id).first()
    if earlier is not None:
        return _same(earlier, asked)
    read = read_interrupt(stopped.value, stopped.response_schema)
    # All of them are looked at before one is asked about.
    operations = [_operation(call, stopped.connection) for call in read.calls]
    calls = []
    for place, (call, operation) in enumerate(zip(read.calls, operations, strict=True)):
        wanted = Wanted(
            adapter=operation.connection.adapter,
            target=operation.target,
            arguments=call.args,
            idempotency_key=f"interrupt/{stopped.graph_id}/{place}",
            run=stopped.run,
        )
        made, _ = propose(wanted, key=key, actor=actor)
        calls.append({"proposal": made.public_id, "name": call.name, "allowed": list(call.allowed)})
    return _keep(agent.pk, stopped, asked, calls, is_single=read.is_single)


def interrupt_for(actor: Actor, public_id: str) -> Interrupt:
    """Return an interrupt of this very agent. Raises: InterruptNotFound."""
    rows = Interrupt.objects.filter(agent__public_id=actor.ref.id, public_id=public_id)
    found = rows.first() if actor.ref.kind == "agent" and "\x00" not in public_id else None
    if found is None:
        raise InterruptNotFound(f"There is no interrupt {public_id[:80]!r}.")
    return found


def _keep(
    agent: int, stopped: Stopped, asked: str, calls: list[dict[str, Any]], *, is_single: bool
) -> Interrupt:
    raced = InterruptChanged("The same interrupt came twice at one moment; send it again.")
    with transaction.atomic(), refused_as({"effects_interrupt_one_per_id": raced}):
        return Interrupt.objects.create(
            public_id=new_id("itr"),
            agent_id=agent,
            graph_id=stopped.graph_id,
            request_digest=asked,
            is_single=is_single,
            calls=calls,
            created_at=Now(),
        )


def _same(earlier: Interrupt, asked: str) -> Interrupt:
    if earlier.request_digest != asked:
        raise InterruptChanged(
            "This interrupt's id came with another request before.", interrupt=earlier.public_id
        )
    return earlier


def _operation(call: Call, connection: str) -> Operation:
    """Return what a tool stands for: ``connection.tool``, or what its own name says."""
    target = call.name if "." in call.name else f"{connection}.{call.name}"
    operation = operation_at(target)
    check_arguments(operation, call.args)
    is_ours = operation.connection.adapter != Connection.Adapter.AGENT
    if is_ours and "respond" not in call.allowed:
        raise InterruptUnreadable(
            f"{target} is done by this service, so its tool must allow `respond`: the answer says"
            " what came of it, and the graph does not do it again.",
            member="value.review_configs",
        )
    return operation
