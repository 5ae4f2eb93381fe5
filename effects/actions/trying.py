"""Trying connections for somebody who asked, in the one process that opens their secrets."""

from __future__ import annotations

from django.db.models import F

from credentials.leasing.terms import StaticTerms
from credentials.opening import open_tool_secret
from effects.adapters import adapter_of
from effects.adapters.adapter import Lent
from effects.models import Connection
from effects.places import place_of
from kernel import clock
from kernel.errors import DomainError
from registry.actors import Actor


def try_connections(*, actor: Actor) -> int:
    """Try every connection that somebody asked to be tried; return how many.

    Records: nothing; that it was asked for is on record.
    """
    waiting = Connection.objects.filter(test_asked_at__isnull=False).filter(
        # Asked again after an answer, or never answered.
        tested_at__isnull=True
    ) | Connection.objects.filter(test_asked_at__gt=F("tested_at"))
    done = 0
    for connection in waiting.order_by("test_asked_at")[:20]:
        result = _result(connection)
        rows = Connection.objects.filter(pk=connection.pk, test_asked_at=connection.test_asked_at)
        done += rows.update(tested_at=clock.now(), test_result=result[:200])
    return done


def _result(connection: Connection) -> str:
    kinds = Connection.Credential
    if connection.credential not in {kinds.NONE, kinds.STATIC}:
        return "not tried: this credential is lent for an action only"
    try:
        lent = _lent(connection) if connection.credential == kinds.STATIC else Lent()
        return adapter_of(connection.adapter).probe(place_of(connection), lent)
    except DomainError as error:
        return error.detail


def _lent(connection: Connection) -> Lent:
    # No agent's action stands behind it, so it is no lease.
    terms = StaticTerms.read(connection.credential_settings)
    text = open_tool_secret(connection.ref)[1].reveal()
    return Lent(terms.headers(text), terms.user, text if terms.place == "password" else "")
