"""A static secret is lent for one sending, by the worker alone, and every end is on record."""

from __future__ import annotations

import base64
import pickle
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from credentials.errors import (
    CredentialSettingsInvalid,
    LeaseNotFound,
    LeaseOver,
    LeaseRefused,
    SecretNotFound,
    SecretsClosed,
)
from credentials.leasing.ending import end_leases, revoke_lease, revoke_leases_of
from credentials.leasing.lending import Lending, check_credential
from credentials.models import Lease
from kernel import clock
from kernel.refs import Ref, system
from ledger.models import Entry
from registry.models import Agent
from tests.credentials.leasing.conftest import SECRET

SAM = Ref("person", "per_sam")
Lends = Callable[..., AbstractContextManager[Lending]]


def verbs(lease: Lease) -> list[str]:
    rows = Entry.objects.filter(subject=str(lease.ref)).order_by("id")
    return list(rows.values_list("verb", flat=True))


def test_a_static_secret_is_lent_for_one_sending(lends: Lends, agent: Agent) -> None:
    with lends() as lent:
        assert lent.headers == {"Authorization": f"Bearer {SECRET}"}
        assert lent.is_live
        lease = Lease.objects.get(public_id=lent.lease_id)
        assert (lease.state, lease.agent_id) == ("active", agent.public_id)
        assert SECRET not in repr(lent) + str(Lease.objects.values().get())
        with pytest.raises(TypeError):
            pickle.dumps(lent)
    lease.refresh_from_db()
    assert (lease.state, lease.goal) == ("returned", "returned")
    assert verbs(lease) == ["lease.issued", "lease.returned"]
    assert not lent.is_live


@pytest.mark.parametrize(
    ("given", "headers", "session"),
    [
        ({"scheme": "Token"}, {"Authorization": f"Token {SECRET}"}, ("", "")),
        ({"header": "X-Api-Key"}, {"X-Api-Key": SECRET}, ("", "")),
        (
            {"place": "basic", "user": "crm"},
            {"Authorization": "Basic " + base64.b64encode(f"crm:{SECRET}".encode()).decode()},
            ("crm", ""),
        ),
        ({"place": "password", "user": "mailer"}, {}, ("mailer", SECRET)),
    ],
)
def test_a_secret_goes_where_the_connection_says(
    lends: Lends, given: dict[str, Any], headers: dict[str, str], session: tuple[str, str]
) -> None:
    with lends(settings=given) as lent:
        assert (dict(lent.headers), (lent.user, lent.password)) == (headers, session)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"place": "query"}, "place"),
        ({"place": "cookie"}, "place"),
        ({"header": "Host"}, "header"),
        ({"header": "X\r\nEvil: 1"}, "header"),
        ({"header": "X-A: b"}, "header"),
        ({"header": 7}, "header"),
        ({"header": "content-LENGTH"}, "header"),
        ({"scheme": "Bearer evil"}, "scheme"),
        ({"place": "password"}, "user"),
        ({"place": "basic", "user": "a:b"}, "user"),
        ({"place": "password", "user": " x"}, "user"),
        ({"secret": "hidden in the settings"}, "secret"),
        ({"user": "of a header"}, "user"),
    ],
)
def test_settings_that_cannot_be_meant_are_named(given: dict[str, Any], field: str) -> None:
    with pytest.raises(CredentialSettingsInvalid) as refused:
        check_credential("static", given)
    assert refused.value.facts["field"] == field


def test_no_credential_needs_no_lease(lends: Lends) -> None:
    check_credential("none", {})
    with lends("none") as lent:
        assert (lent.lease_id, lent.headers, lent.is_live) == ("", {}, True)
    assert not Lease.objects.exists()
    for broken in ("vault", ""):
        with pytest.raises(CredentialSettingsInvalid), lends(broken):
            raise AssertionError
        with pytest.raises(CredentialSettingsInvalid):
            check_credential(broken, {})
    with pytest.raises(CredentialSettingsInvalid):
        check_credential("none", {"header": "X"})


def test_only_a_process_that_opens_tools_lends(lends: Lends, settings: Any) -> None:
    settings.OPENS = frozenset({"payload"})
    with pytest.raises(SecretsClosed), lends():
        raise AssertionError
    with pytest.raises(SecretsClosed):
        end_leases()
    assert not Lease.objects.exists()


def test_without_a_secret_nothing_is_issued(lends: Lends) -> None:
    with pytest.raises(SecretNotFound), lends(connection_ref=Ref("connection", "con_other")):
        raise AssertionError
    assert not Lease.objects.exists()


def test_an_agent_that_was_stopped_holds_nothing(lends: Lends, agent: Agent) -> None:
    Agent.objects.filter(pk=agent.pk).update(
        suspended_at=clock.now(), suspended_reason="r", suspended_by="person:per_sam"
    )
    with pytest.raises(LeaseRefused), lends():
        raise AssertionError
    with pytest.raises(LeaseRefused), lends(holder_agent="agt_nobody"):
        raise AssertionError
    assert not Lease.objects.exists()


def test_a_failed_sending_gives_its_lease_back(lends: Lends) -> None:
    def send() -> None:
        with lends():
            raise ConnectionError

    with pytest.raises(ConnectionError):
        send()
    assert Lease.objects.get().state == "returned"


def test_a_lease_revoked_during_a_sending_is_dead_when_that_ends(lends: Lends) -> None:
    with lends() as lent:
        revoke_lease(lent.lease_id, actor=SAM, reason="looks wrong")
        assert not lent.is_live
        end_leases()
        lease = Lease.objects.get()
        assert (lease.state, lease.fault, lease.attempts) == ("revoking", "in_use", 0)
        revoke_lease(lent.lease_id, actor=SAM, reason="twice is once")
    lease.refresh_from_db()
    assert (lease.state, lease.asked_by) == ("revoked", "person:per_sam")
    assert verbs(lease) == ["lease.issued", "lease.recalled", "lease.revoked"]
    with pytest.raises(LeaseOver):
        revoke_lease(lent.lease_id, actor=SAM, reason="late")
    with pytest.raises(LeaseNotFound):
        revoke_lease("lse_none", actor=SAM, reason="r")


def test_a_sending_that_was_killed_leaves_a_lease_that_expires(lends: Lends) -> None:
    lending = lends()
    lent = lending.__enter__()
    with clock.held_at(clock.now() + timedelta(seconds=31)):
        assert not lent.is_live
        assert end_leases() == 1
    lease = Lease.objects.get()
    assert lease.state == "expired"
    lending.__exit__(None, None, None)  # the lost process comes back: nothing more to say
    assert verbs(lease) == ["lease.issued", "lease.expired"]


def test_stopping_an_agent_takes_back_what_it_holds(lends: Lends, agent: Agent) -> None:
    with lends() as one, lends() as two:
        Agent.objects.filter(pk=agent.pk).update(
            suspended_at=clock.now(), suspended_reason="r", suspended_by="person:per_sam"
        )
        end_leases()
        assert (one.is_live, two.is_live) == (False, False)
        assert revoke_leases_of(agent.public_id, actor=SAM, reason="again") == 0
    assert set(Lease.objects.values_list("state", flat=True)) == {"revoked"}


@pytest.mark.django_db(transaction=True)
def test_what_is_issued_while_an_agent_is_stopped_is_seen_or_refused(
    lends: Lends, agent: Agent
) -> None:
    held, refused = [], []

    def borrow() -> None:
        try:
            lending = lends()
            held.append((lending, lending.__enter__()))
        except LeaseRefused:
            refused.append(1)
        finally:
            connection.close()

    threads = [threading.Thread(target=borrow) for _ in range(12)]
    for thread in threads[:6]:
        thread.start()
    with transaction.atomic():
        Agent.objects.filter(pk=agent.pk).update(
            suspended_at=clock.now(), suspended_reason="r", suspended_by="person:per_sam"
        )
    for thread in threads[6:]:
        thread.start()
    revoke_leases_of(agent.public_id, actor=system("test"), reason="killed")
    for thread in threads:
        thread.join(60)
    assert len(held) + len(refused) == 12
    assert not Lease.objects.filter(state="active").exists()
