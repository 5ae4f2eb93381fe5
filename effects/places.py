"""Connections and operations as adapters know them, and the key an effect is known by outside.

What is to be on the wire is a pure function of the rows, the arguments and the proposal's id:
shown to people before they decide, made again before it is sent, and compared.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final

from effects.adapters import adapter_of
from effects.adapters.adapter import Place, Plan, Work
from effects.models import Connection, Operation
from kernel.canonical import canonical

_KEYED: Final = b"unsprawl.effect.v1\x00"


def place_of(connection: Connection) -> Place:
    """Return a connection as its adapter knows it."""
    return Place(
        connection.name, connection.settings, connection.allow_private, gaps_of(connection)
    )


def work_of(operation: Operation) -> Work:
    """Return an operation as its adapter knows it."""
    return Work(operation.name, operation.template, operation.lookup)


def gaps_of(connection: Connection) -> tuple[str, ...]:
    """Return what the credential of a connection fills on the wire."""
    kinds = Connection.Credential
    if connection.credential == kinds.NONE:
        return ()
    terms = connection.credential_settings
    if connection.credential == kinds.POSTGRESQL_ROLE or terms.get("place") == "password":
        return ("user", "password")
    is_own = connection.credential == kinds.STATIC and terms.get("place", "header") == "header"
    return (str(terms.get("header", "Authorization")) if is_own else "Authorization",)


def key_of(proposal_id: str, operation: Operation, arguments: Mapping[str, Any]) -> str:
    """Return the key of an effect: a UUID (RFC 9562 version 8), the same for every attempt.

    It follows from the proposal and from what is asked, so a key outside stands for one body.
    """
    asked = canonical([proposal_id, operation.digest, dict(arguments)])
    return str(uuid.UUID(bytes=_versioned(hashlib.sha256(_KEYED + asked).digest()[:16])))


def plan_of(operation: Operation, arguments: Mapping[str, Any], *, proposal_id: str) -> Plan:
    """Return the bytes of a proposal without their secret. Raises: ArgumentsRefused."""
    connection = operation.connection
    key = key_of(proposal_id, operation, arguments)
    return adapter_of(connection.adapter).plan(
        place_of(connection), work_of(operation), arguments, key
    )


def _versioned(raw: bytes) -> bytes:
    marked = bytearray(raw)
    marked[6] = 0x80 | marked[6] & 0x0F
    marked[8] = 0x80 | marked[8] & 0x3F
    return bytes(marked)
