"""Database roles made for one sending, at somebody else's server, and those a restore forgot."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from credentials.actions import seal_secret
from credentials.leasing.lending import check_credential, lend
from credentials.models import Lease
from effects.actions.carrying_out import carry_out
from effects.actions.clearing import drop_orphans
from effects.models import Connection
from effects.tasks import drop_orphans as ring_for_orphans
from kernel.refs import system
from kernel.sealing import ensure_key_rings
from ledger.models import Entry
from tests.credentials.leasing.elsewhere import ADMIN, Elsewhere
from tests.effects.acts import EXECUTOR, make_approved, make_connection, make_operation, state_of

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.xdist_group("elsewhere"),
]
TERMS = {
    "admin_user": ADMIN,
    "grants": [{"table": "public.invoices", "privileges": ["select", "insert"]}],
}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    made = Elsewhere.start(tmp_path_factory.mktemp("elsewhere"))
    yield made
    made.destroy()


@pytest.fixture
def crm(elsewhere: Elsewhere, tmp_path: Path, settings: Any) -> Connection:
    ensure_key_rings(tmp_path / "keys")
    settings.KEYS_DIR = tmp_path / "keys"
    return lending_at(elsewhere, "crm")


def lending_at(elsewhere: Elsewhere, name: str) -> Connection:
    where = {"host": elsewhere.host, "database": "crm", "tls": "disable"}
    check_credential("postgresql_role", TERMS, place=where, allow_private=True)
    made = make_connection(
        name, adapter="postgresql", settings=where, credential="postgresql_role",
        credential_settings=TERMS,
    )  # fmt: skip
    seal_secret(made.ref, elsewhere.admin_password, ring="tool", actor=system("test"))
    return made


def borrowed(connection: Connection) -> Any:
    proposal = make_approved(operation_of(connection), arguments={"id": 1})
    return lend(
        connection_ref=connection.ref,
        kind=connection.credential,
        settings=connection.credential_settings,
        holder_agent=proposal.agent.public_id,
        proposal=proposal.public_id,
        seconds=30,
        place=connection.settings,
        allow_private=True,
    )


def operation_of(connection: Connection) -> Any:
    schema = {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]}
    template = {
        "statement": "INSERT INTO public.invoices (id, amount) VALUES (:id, 5)",
        "parameters": {"id": {"$argument": "/id"}},
        "rows": 1,
    }
    return connection.operations.first() or make_operation(
        connection, "invoice", arguments_schema=schema, template=template
    )


def test_an_action_writes_as_a_role_of_its_own_that_is_gone_after(
    crm: Connection, elsewhere: Elsewhere
) -> None:
    proposal = make_approved(operation_of(crm), arguments={"id": 4711})

    assert carry_out(proposal.public_id, actor=EXECUTOR) == "succeeded"

    assert state_of(proposal) == "succeeded"
    with elsewhere.admin() as session:
        assert session.execute("SELECT amount FROM invoices WHERE id = 4711").fetchone() == (5,)
        session.execute("DELETE FROM invoices WHERE id = 4711")
    assert elsewhere.roles() == []
    assert Lease.objects.get().state == "returned"


def test_the_sweep_drops_what_no_lease_knows_and_keeps_what_is_lent(
    crm: Connection, elsewhere: Elsewhere
) -> None:
    with ExitStack() as held:
        lent = held.enter_context(borrowed(crm))
        forgotten = borrowed(crm)
        lost = forgotten.__enter__()
        held.callback(forgotten.__exit__, None, None, None)
        assert drop_orphans(actor=EXECUTOR) == []
        Lease.objects.filter(public_id=lost.lease_id).delete()  # as a restore would

        ring_for_orphans()

        assert elsewhere.roles() == [lent.user]
        noted = Entry.objects.get(verb="lease.orphan_dropped")
        assert noted.subject == f"lease:{lost.lease_id}"
        ring_for_orphans()
        assert Entry.objects.filter(verb="lease.orphan_dropped").count() == 1
    assert elsewhere.roles() == []


def test_a_server_that_is_not_reached_does_not_keep_the_others_from_being_cleared(
    crm: Connection, elsewhere: Elsewhere, caplog: pytest.LogCaptureFixture
) -> None:
    other = lending_at(elsewhere, "ledger")
    Connection.objects.filter(pk=crm.pk).update(
        settings=crm.settings | {"host": "127.0.0.1", "port": 1}
    )
    Connection.objects.filter(pk=other.pk).update(disabled_at=other.added_at)
    forgotten = borrowed(other)
    lost = forgotten.__enter__()
    Lease.objects.filter(public_id=lost.lease_id).delete()

    with caplog.at_level(logging.WARNING, "unsprawl.leases"):
        assert drop_orphans(actor=EXECUTOR) == [lost.user]

    assert "orphans not looked for at crm: credentials.not_lent" in caplog.text
    assert elsewhere.admin_password not in caplog.text
    assert elsewhere.roles() == []
    forgotten.__exit__(None, None, None)
