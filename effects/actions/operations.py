"""Operations: what may be done at a connection. Immutable; a change is a further version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from effects.adapters import adapter_of
from effects.adapters.adapter import Plan
from effects.adapters.addressing import names_in
from effects.adapters.errors import wrong
from effects.adapters.filling import pointers
from effects.arguments import check_arguments
from effects.errors import ConnectionStopped, OperationNotUsable
from effects.gates import schema
from effects.gates.checks import read_checks
from effects.models import Connection, Operation
from effects.places import place_of, plan_of, work_of
from effects.queries.connections import connection_for, operation_for
from kernel import clock
from kernel.canonical import digest
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

_NAME: Final = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9_-]{0,61}[a-zA-Z0-9])?")
# What stands for the proposal's id in a dry run: the key follows from it.
DRY: Final = "prp_dry_run"


@dataclass(frozen=True, slots=True)
class WantedOperation:
    """What somebody asks of an operation."""

    name: str
    effect: str
    idempotency: str
    arguments_schema: Mapping[str, Any]
    template: Mapping[str, Any]
    is_reversible: bool = False
    title: str = ""
    description: str = ""
    lookup: Mapping[str, Any] = field(default_factory=dict)
    checks: list[Any] = field(default_factory=list)


@transaction.atomic
def add_operation(connection: str, wanted: WantedOperation, *, actor: Actor) -> Operation:
    """Let something be done at a connection, or let it be done otherwise from now on.

    The version before is retired, and what was approved of it and not sent is void.
    Records: operation.added, operation.retired. Raises: RoleMissing, ConnectionNotFound,
    ConnectionStopped, OperationNotUsable, SettingsInvalid, CheckInvalid.
    """
    actor.require(Role.PLATFORM)
    at = connection_for(actor, connection)
    # Two who add a version of one operation take turns.
    at = Connection.objects.select_for_update().get(pk=at.pk)
    if at.disabled_at is not None:
        raise ConnectionStopped
    made = drafted(at, wanted)
    versions = Operation.objects.filter(connection=at, name=made.name)
    newest = versions.order_by("-version").first()
    made.version = newest.version + 1 if newest else 1
    made.digest = digest(_described(made))
    made.added_by, made.added_at = str(actor.ref), clock.now()
    for before in versions.filter(retired_at__isnull=True):
        _retire(before, actor, f"version {made.version} took its place")
    made.save(force_insert=True)
    facts: dict[str, Fact] = {
        "connection": at.public_id, "target": made.target, "version": made.version,
        "effect": made.effect, "idempotency": made.idempotency, "digest": made.digest,
    }  # fmt: skip
    record(Verb.OPERATION_ADDED, made.ref, actor=actor.ref, facts=facts)
    return made


@transaction.atomic
def retire_operation(connection: str, name: str, *, actor: Actor, reason: str) -> Operation:
    """Let an operation be proposed no more; what waits for it is void.

    Records: operation.retired. Raises: RoleMissing, ConnectionNotFound, OperationNotFound.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    found = operation_for(actor, connection, name)
    _retire(found, actor, reason)
    found.refresh_from_db()
    return found


def drafted(connection: Connection, wanted: WantedOperation) -> Operation:
    """Return an operation that can be worked with, saved nowhere.

    Raises: OperationNotUsable, SettingsInvalid, CheckInvalid.
    """
    _check_words(wanted)
    made = Operation(
        public_id=new_id("opn"),
        connection=connection,
        name=wanted.name,
        version=0,
        title=wanted.title.strip()[:120] or wanted.name,
        description=wanted.description.strip()[:2000],
        effect=wanted.effect,
        is_reversible=wanted.is_reversible,
        idempotency=wanted.idempotency,
        arguments_schema=dict(wanted.arguments_schema),
        template=dict(wanted.template),
        lookup=dict(wanted.lookup),
        checks=list(wanted.checks),
    )
    if fault := schema.fault_of(made.arguments_schema):
        raise OperationNotUsable(f"arguments_schema: {fault}", field="arguments_schema")
    if made.arguments_schema.get("type") != "object":
        raise OperationNotUsable(
            'arguments_schema: its type is "object".', field="arguments_schema/type"
        )
    read_checks(made.checks)
    adapter_of(connection.adapter).check_work(place_of(connection), work_of(made))
    _check_promise(made)
    _check_arguments_named(made)
    return made


def dry_run(
    connection: Connection, wanted: WantedOperation, arguments: Mapping[str, Any], *, actor: Actor
) -> Plan:
    """Return the bytes that would leave for some arguments; nothing is sent or kept.

    Raises: RoleMissing, OperationNotUsable, SettingsInvalid, CheckInvalid, ArgumentsInvalid,
    ArgumentsTooLarge, ArgumentsRefused.
    """
    actor.require(Role.PLATFORM, Role.SECURITY)
    made = drafted(connection, wanted)
    check_arguments(made, arguments)
    return plan_of(made, arguments, proposal_id=DRY)


def _check_words(wanted: WantedOperation) -> None:
    if not _NAME.fullmatch(wanted.name):
        raise OperationNotUsable(
            "name: 1 to 63 letters, digits, - and _, beginning and ending with a letter or digit.",
            field="name",
        )
    if wanted.effect not in Operation.Effect.values:
        known = ", ".join(Operation.Effect.values)
        raise OperationNotUsable(f"effect: one of {known}.", field="effect")
    if wanted.idempotency not in Operation.Idempotency.values:
        known = ", ".join(Operation.Idempotency.values)
        raise OperationNotUsable(f"idempotency: one of {known}.", field="idempotency")


def _check_promise(operation: Operation) -> None:
    """What an operation promises of a second sending must be in its template."""
    kinds = Operation.Idempotency
    text = str(operation.template)
    has_key = "'$key'" in text or "idempotency_header" in operation.template
    has_key = has_key or "key_table" in operation.template
    has_key = has_key or operation.connection.adapter == Connection.Adapter.SLACK
    if operation.idempotency == kinds.NATIVE and not has_key:
        raise OperationNotUsable(
            "idempotency: native needs the key in the template: idempotency_header, or"
            ' {"$key": true} in the body.',
            field="idempotency",
        )
    if (operation.idempotency == kinds.LOOKUP) != bool(operation.lookup):
        raise OperationNotUsable(
            "lookup: it is given where idempotency is lookup, and only there.", field="lookup"
        )
    is_agents = operation.connection.adapter == Connection.Adapter.AGENT
    if is_agents and operation.idempotency != kinds.NONE:
        raise OperationNotUsable("idempotency: none, for nothing is sent.", field="idempotency")


def _check_arguments_named(operation: Operation) -> None:
    known = operation.arguments_schema.get("properties", {})
    for part, member in ((operation.template, "template"), (operation.lookup, "lookup")):
        named = [pointer.split("/")[1] for pointer in pointers(part)]
        for name in [*named, *names_in(part.get("path"))]:
            plain = name.replace("~1", "/").replace("~0", "~")
            if plain not in known:
                raise wrong(member, f"it takes {plain!r}, which is no property of the arguments.")


def _retire(operation: Operation, actor: Actor, reason: str) -> None:
    rows = Operation.objects.filter(pk=operation.pk, retired_at__isnull=True)
    if rows.update(retired_at=clock.now()):
        facts: dict[str, Fact] = {"target": operation.target, "reason": reason[:1000]}
        record(Verb.OPERATION_RETIRED, operation.ref, actor=actor.ref, facts=facts)


def _described(operation: Operation) -> dict[str, Any]:
    return {
        "name": operation.name,
        "version": operation.version,
        "title": operation.title,
        "description": operation.description,
        "effect": operation.effect,
        "is_reversible": operation.is_reversible,
        "idempotency": operation.idempotency,
        "arguments_schema": operation.arguments_schema,
        "template": operation.template,
        "lookup": operation.lookup,
        "checks": operation.checks,
    }
