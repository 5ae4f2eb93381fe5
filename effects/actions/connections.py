"""Connections as the platform sets them up: added, changed, given a secret, tried, disabled.

Every change counts the revision, and the revision is part of every action: what people decided
on before a change is not sent after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from credentials.actions import retire_secret, seal_secret
from credentials.leasing.lending import check_credential
from credentials.queries import secret_of
from effects.adapters import adapter_of
from effects.errors import ConnectionNotUsable
from effects.models import Connection
from effects.places import place_of
from effects.queries.connections import connection_for
from kernel import clock
from kernel.canonical import digest
from kernel.db import refused_as, ring
from kernel.refs import new_id
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role

RING: Final = "tool"
TEST: Final = "effects.test_connections"
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LONGEST_TITLE: Final = 120
# Settings that say what is done with a secret, and not to whom it is shown.
_ELSE: Final = frozenset(
    {
        "timeout_seconds", "statement_seconds", "channels", "from", "helo", "database",
        "header", "scheme", "user", "scope", "audience", "resource", "key_id",
        "grants", "member_of", "connection_limit",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class WantedConnection:
    """What somebody asks of a connection."""

    name: str
    adapter: str
    title: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    credential: str = Connection.Credential.NONE
    credential_settings: Mapping[str, Any] = field(default_factory=dict)
    secret: str = field(default="", repr=False)
    allow_private: bool = False


@transaction.atomic
def add_connection(wanted: WantedConnection, *, actor: Actor) -> Connection:
    """Let actions be proposed for a system; the platform role answers for its address.

    Records: connection.added, secret.sealed. Raises: RoleMissing, ConnectionNotUsable,
    SettingsInvalid, CredentialSettingsInvalid, AddressRefused, SecretNotUsable.
    """
    actor.require(Role.PLATFORM)
    if not _NAME.fullmatch(wanted.name):
        raise ConnectionNotUsable(
            "name: 1 to 63 small letters, digits and hyphens, not at either end.", field="name"
        )
    now = clock.now()
    made = Connection(
        public_id=new_id("con"),
        name=wanted.name,
        title=wanted.title.strip()[:_LONGEST_TITLE] or wanted.name,
        adapter=wanted.adapter,
        settings=dict(wanted.settings),
        credential=wanted.credential,
        credential_settings=dict(wanted.credential_settings),
        allow_private=wanted.allow_private,
        added_by=str(actor.ref),
        added_at=now,
        changed_at=now,
    )
    check_connection(made)
    taken = ConnectionNotUsable(
        f"name: there is a connection named {wanted.name!r} already.", field="name"
    )
    with refused_as({"effects_connection_name_key": taken}):
        made.save(force_insert=True)
    if wanted.secret:
        _require_a_place(made)
        seal_secret(made.ref, wanted.secret, ring=RING, actor=actor.ref)
    record(Verb.CONNECTION_ADDED, made.ref, actor=actor.ref, facts=_facts(made))
    return made


def check_connection(connection: Connection) -> None:
    """Raises: SettingsInvalid, CredentialSettingsInvalid, ConnectionNotUsable, AddressRefused."""
    adapter = adapter_of(connection.adapter)
    if connection.credential not in Connection.Credential.values:
        known = ", ".join(Connection.Credential.values)
        raise ConnectionNotUsable(f"credential: one of {known}.", field="credential")
    check_credential(
        connection.credential,
        connection.credential_settings,
        place=connection.settings,
        allow_private=connection.allow_private,
    )
    place = place_of(connection)
    if connection.adapter == Connection.Adapter.AGENT and place.gaps:
        raise ConnectionNotUsable(
            "credential: nothing is sent here, so it has none.", field="credential"
        )
    is_session = connection.adapter in {Connection.Adapter.POSTGRESQL, Connection.Adapter.SMTP}
    if place.gaps and is_session != (place.gaps == ("user", "password")):
        raise ConnectionNotUsable(
            "credential: PostgreSQL and SMTP take a user and a password, requests a header.",
            field="credential",
        )
    adapter.check_place(place)


@transaction.atomic
def change_connection(name: str, changes: Mapping[str, Any], *, actor: Actor) -> Connection:
    """Change the title, the settings, the credential or the reach of a connection.

    What was approved before, and not sent, is void: it was decided for the connection as it was.
    The secret belongs to the address it was given for, and a new address retires it, so that
    nobody reads a secret by sending it elsewhere.
    Records: connection.changed, secret.retired with a new address. Raises: RoleMissing,
    ConnectionNotFound, ConnectionNotUsable, SettingsInvalid, CredentialSettingsInvalid,
    AddressRefused.
    """
    actor.require(Role.PLATFORM)
    connection = connection_for(actor, name)
    connection = Connection.objects.select_for_update().get(pk=connection.pk)
    changed = sorted(each for each in changes if getattr(connection, each) != changes[each])
    if not changed:
        return connection
    before = _where(connection)
    for each in changed:
        setattr(connection, each, changes[each])
    check_connection(connection)
    connection.revision += 1
    connection.changed_at = clock.now()
    connection.save(update_fields=[*changed, "revision", "changed_at"])
    if _where(connection) != before:
        _drop_secret(connection, actor)
    facts = _facts(connection) | {"changed": changed, "revision": connection.revision}
    record(Verb.CONNECTION_CHANGED, connection.ref, actor=actor.ref, facts=facts)
    return connection


@transaction.atomic
def set_connection_secret(name: str, value: str, *, actor: Actor) -> Connection:
    """Seal the secret of a connection; the one before is retired. Nobody reads it back.

    Records: secret.sealed. Raises: RoleMissing, ConnectionNotFound, ConnectionNotUsable,
    SecretNotUsable.
    """
    actor.require(Role.PLATFORM)
    connection = connection_for(actor, name)
    _require_a_place(connection)
    seal_secret(connection.ref, value, ring=RING, actor=actor.ref)
    return connection


@transaction.atomic
def disable_connection(name: str, *, actor: Actor, reason: str) -> Connection:
    """Send nothing to a system any more; what waits for it is void.

    Records: connection.disabled. Raises: RoleMissing, ConnectionNotFound.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    connection = connection_for(actor, name)
    rows = Connection.objects.filter(pk=connection.pk, disabled_at__isnull=True)
    if rows.update(disabled_at=clock.now(), revision=F("revision") + 1):
        facts: dict[str, Fact] = {"reason": reason.replace("\x00", "").strip()[:1000]}
        record(Verb.CONNECTION_DISABLED, connection.ref, actor=actor.ref, facts=facts)
    connection.refresh_from_db()
    return connection


@transaction.atomic
def enable_connection(name: str, *, actor: Actor) -> Connection:
    """Let actions be proposed for a system again.

    Records: connection.enabled. Raises: RoleMissing, ConnectionNotFound, SettingsInvalid.
    """
    actor.require(Role.PLATFORM)
    connection = connection_for(actor, name)
    check_connection(connection)
    rows = Connection.objects.filter(pk=connection.pk, disabled_at__isnull=False)
    if rows.update(disabled_at=None, revision=F("revision") + 1):
        record(Verb.CONNECTION_ENABLED, connection.ref, actor=actor.ref)
    connection.refresh_from_db()
    return connection


@transaction.atomic
def ask_for_test(name: str, *, actor: Actor) -> Connection:
    """Have the worker, which alone opens the secret, try a connection without doing anything.

    Records: connection.tested. Raises: RoleMissing, ConnectionNotFound.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    connection = connection_for(actor, name)
    Connection.objects.filter(pk=connection.pk).update(test_asked_at=clock.now(), test_result="")
    record(Verb.CONNECTION_TESTED, connection.ref, actor=actor.ref)
    ring(TEST)
    connection.refresh_from_db()
    return connection


@transaction.atomic
def drop_connection_secret(name: str, *, actor: Actor, reason: str) -> Connection:
    """Take a connection's secret out of use without giving it another.

    Records: secret.retired. Raises: RoleMissing, ConnectionNotFound, SecretNotFound.
    """
    actor.require(Role.SECURITY, Role.PLATFORM)
    connection = connection_for(actor, name)
    retire_secret(connection.ref, actor=actor.ref, reason=reason)
    return connection


def _where(connection: Connection) -> tuple[Any, ...]:
    """Return what says to whom a secret is shown; a setting that is not known says so too."""
    kept = {name: value for name, value in connection.settings.items() if name not in _ELSE}
    lent = connection.credential_settings.items()
    return connection.credential, kept, {name: value for name, value in lent if name not in _ELSE}


def _drop_secret(connection: Connection, actor: Actor) -> None:
    if secret_of(connection.ref) is not None:
        retire_secret(connection.ref, actor=actor.ref, reason="the address changed")


def _require_a_place(connection: Connection) -> None:
    if connection.credential == Connection.Credential.NONE:
        raise ConnectionNotUsable(
            "This connection uses no credential; choose one before you give it a secret.",
            field="credential",
        )


def _facts(connection: Connection) -> dict[str, Fact]:
    has = secret_of(connection.ref)
    return {
        "name": connection.name,
        "adapter": connection.adapter,
        "credential": connection.credential,
        "settings": digest(connection.settings),
        "allow_private": connection.allow_private,
        "secret": has.public_id if has else "",
    }
