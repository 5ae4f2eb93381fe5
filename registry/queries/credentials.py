"""Who presents this credential: tokens of people, keys of agents.

Look-ups go by keyed hash, so their time says nothing about a secret, and expiry goes by
the database's clock, so no process can be talked into a longer life.
"""

from __future__ import annotations

from datetime import datetime

from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from kernel import keys
from registry.errors import authentication as refused
from registry.models import Agent, AgentKey, Person, PersonToken
from registry.pepper import pepper_ring

MAX_CREDENTIAL = 512
_KEY_NOW = """
SELECT revoked_at, expires_at, statement_timestamp() FROM registry_agentkey WHERE id = %s
"""


def token_for(text: str) -> PersonToken:
    """Return the token in force that this text is.

    Raises: TokenUnknown, TokenRevoked, TokenExpired, PersonDeactivated.
    """
    # Our own shape is checked first: a typo costs no look-up. The operator's bootstrap
    # token has whatever shape the operator chose.
    looks_like_ours = text.startswith(f"{keys.PERSON_PREFIX}_")
    if len(text) > MAX_CREDENTIAL or (looks_like_ours and keys.parse(text) is None):
        raise refused.TokenUnknown
    token = (
        PersonToken.objects.filter(digest__in=digests_of(text))
        .select_related("person", "person__team")
        .annotate(moment=Now())
        .first()
    )
    if token is None:
        raise refused.TokenUnknown
    if token.revoked_at is not None:
        raise refused.TokenRevoked
    if token.expires_at <= token.moment:
        raise refused.TokenExpired
    if not token.person.is_active:
        raise refused.PersonDeactivated
    return token


def key_now(key: AgentKey) -> tuple[datetime | None, datetime, datetime]:
    """Return when a key was revoked and when it expires, and the moment by the same clock."""
    with connection.cursor() as cursor:
        cursor.execute(_KEY_NOW, [key.pk])
        revoked_at, expires_at, moment = cursor.fetchone()
    return revoked_at, expires_at, moment


def agent_key_for(text: str) -> AgentKey:
    """Return the agent key in force that this text is.

    A suspended agent still holds its key: it may look at itself and report.
    Raises: AgentKeyUnknown, AgentKeyRevoked, AgentKeyExpired, AgentOutOfService.
    """
    credential = keys.parse(text)
    if credential is None or credential.prefix != keys.AGENT_PREFIX:
        raise refused.AgentKeyUnknown
    key = (
        AgentKey.objects.filter(key_id=credential.key_id)
        .select_related(
            "agent__owner", "agent__backup_owner", "agent__team", "agent__current_version"
        )
        .annotate(moment=Now())
        .first()
    )
    if key is None or not pepper_ring().matches(text, bytes(key.digest), key.pepper_id):
        raise refused.AgentKeyUnknown
    if key.revoked_at is not None:
        raise refused.AgentKeyRevoked
    if key.expires_at <= key.moment:
        raise refused.AgentKeyExpired
    if key.agent.killed_at is not None or key.agent.stage == Agent.Stage.RETIRED:
        raise refused.AgentOutOfService
    return key


def digests_of(text: str) -> list[bytes]:
    """Return the keyed hash of a credential under every pepper in the ring."""
    ring = pepper_ring()
    return [ring.hash(text, pepper_id) for pepper_id in ring.peppers]


def tokens_of(person: Person) -> QuerySet[PersonToken]:
    """Return every token a person ever had; the operator's view of what may act for them."""
    return PersonToken.objects.filter(person=person).select_related("parent")
