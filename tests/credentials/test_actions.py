from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from django.db import IntegrityError, close_old_connections, connection, transaction

from credentials import queries
from credentials.actions import LONGEST_BYTES, retire_secret, seal_secret
from credentials.broker import COLUMNS, SealedRow, SecretOpener
from credentials.errors import SecretNotFound, SecretNotUsable
from credentials.models import RingRotation, Secret
from kernel import clock
from kernel.db import constraint_of
from kernel.refs import Ref
from kernel.sealing import RingUnreadable
from ledger.models import Entry

ALICE = Ref("person", "per_alice")
VENDOR = Ref("vendor", "ven_one")
VALUE = "sk-canary-7f3a91c24b5d4e6f"


def row_of(secret: Secret) -> SealedRow:
    return SealedRow(*Secret.objects.values_list(*COLUMNS).get(pk=secret.pk))


@pytest.mark.django_db
def test_a_sealed_secret_is_opened_by_who_holds_the_ring(rings: Path) -> None:
    secret = seal_secret(VENDOR, VALUE + "\r\n", ring="vendor", actor=ALICE)
    assert SecretOpener(rings, "vendor").open(row_of(secret)).reveal() == VALUE
    assert (secret.version, secret.hint) == (1, VALUE[-4:])
    assert str(secret) == f"{secret.public_id} (version 1 of vendor:ven_one)"
    entry = Entry.objects.get()
    assert (entry.verb, entry.subject, entry.actor) == (
        "secret.sealed", "vendor:ven_one", "person:per_alice",
    )  # fmt: skip
    assert json.loads(bytes(entry.header))["facts"] == {
        "secret": secret.public_id, "version": 1, "ring": "vendor", "key": "k1",
    }  # fmt: skip


@pytest.mark.django_db
def test_a_new_version_retires_the_one_before(rings: Path) -> None:
    first = seal_secret(VENDOR, VALUE, ring="vendor", actor=ALICE)
    second = seal_secret(VENDOR, "short", ring="vendor", actor=ALICE)
    assert (second.version, second.hint) == (2, "")
    current = queries.secret_of(VENDOR)
    assert current is not None
    assert current.public_id == second.public_id
    assert [row.version for row in queries.secrets_of(VENDOR)] == [2, 1]
    first.refresh_from_db()
    assert first.retired_at == second.created_at
    assert queries.holders_with_secret([VENDOR, Ref("vendor", "x")]) == {"vendor:ven_one"}
    assert queries.rows_by_ring_key("vendor") == {"k1": 2}


@pytest.mark.django_db
def test_a_retired_secret_leaves_its_holder_without(rings: Path) -> None:
    seal_secret(VENDOR, VALUE, ring="vendor", actor=ALICE)
    retire_secret(VENDOR, actor=ALICE, reason="leaked")
    assert queries.secret_of(VENDOR) is None
    assert Entry.objects.filter(verb="secret.retired").count() == 1
    with pytest.raises(SecretNotFound):
        retire_secret(VENDOR, actor=ALICE, reason="again")
    assert seal_secret(VENDOR, VALUE, ring="vendor", actor=ALICE).version == 2


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("x" * (LONGEST_BYTES + 1), "more than"),
        ("ab\ncd", "cannot be sent"),
        ("ab\x00cd", "cannot be sent"),
        ("ab\x7f", "cannot be sent"),
        ("schlüssel", "cannot be sent"),
        ("\ud800", "cannot be sent"),
        (" sk-1", "begins or ends"),
        ("sk-1 ", "begins or ends"),
    ],
)
@pytest.mark.django_db
def test_a_value_that_cannot_be_a_secret_is_refused_unrepeated(value: str, said: str) -> None:
    with pytest.raises(SecretNotUsable, match=said) as refused:
        seal_secret(VENDOR, value, ring="vendor", actor=ALICE)
    assert value.strip() == "" or value not in str(refused.value)
    assert not Secret.objects.exists()
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_no_secret_is_sealed_without_a_ring(rings: Path) -> None:
    shutil.rmtree(rings)
    with pytest.raises(RingUnreadable):
        seal_secret(VENDOR, VALUE, ring="vendor", actor=ALICE)
    with pytest.raises(ValueError, match="payload"):
        seal_secret(VENDOR, VALUE, ring="payload", actor=ALICE)
    assert not Entry.objects.exists()


@pytest.mark.django_db
def test_no_plaintext_reaches_the_tables(rings: Path) -> None:
    seal_secret(VENDOR, VALUE, ring="vendor", actor=ALICE)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT string_agg(s::text, '') || (SELECT string_agg(e::text, '') FROM ledger_entry e)"
            " FROM credentials_secret s"
        )
        (dump,) = cursor.fetchone() or ("",)
    for form in (
        VALUE,
        VALUE[:12],
        VALUE.encode().hex(),
        VALUE[::-1],
        VALUE.encode("utf-16").hex(),
    ):
        assert form not in dump


@pytest.mark.django_db(transaction=True)
def test_two_who_seal_at_once_both_get_a_version(rings: Path) -> None:
    versions: list[int] = []
    ready = threading.Barrier(2)

    def seal() -> None:
        ready.wait()
        versions.append(seal_secret(VENDOR, VALUE, ring="vendor", actor=ALICE).version)
        connection.close()
        close_old_connections()

    threads = [threading.Thread(target=seal) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(versions) == [1, 2]
    assert Secret.objects.filter(retired_at__isnull=True).count() == 1


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE credentials_secret SET ciphertext = 'x'", "credentials_secret_guard"),
        ("UPDATE credentials_secret SET nonce = 'x'", "credentials_secret_guard"),
        ("UPDATE credentials_secret SET holder = 'vendor:x'", "credentials_secret_guard"),
        ("UPDATE credentials_secret SET version = 9", "credentials_secret_guard"),
        ("UPDATE credentials_secret SET retired_at = NULL WHERE version = 1",
         "credentials_secret_guard"),
        ("UPDATE credentials_secret SET ring_key_id = 'k0'", "ledger_ring_key_retired"),
        ("INSERT INTO credentials_secret SELECT id + 100, public_id, ring, holder, 9, ring_key_id,"
         " wrapped_key, nonce, ciphertext, hint, created_by, created_at, now()"
         " FROM credentials_secret", "credentials_secret_public_id_key"),
        ("INSERT INTO credentials_secret SELECT id + 100, 'sec_x', ring, holder, version,"
         " ring_key_id, wrapped_key, nonce, ciphertext, hint, created_by, created_at, now()"
         " FROM credentials_secret", "credentials_secret_one_per_version"),
        ("INSERT INTO credentials_secret SELECT id + 100, 'sec_x', ring, holder, 9,"
         " ring_key_id, wrapped_key, nonce, ciphertext, hint, created_by, created_at, NULL"
         " FROM credentials_secret WHERE version = 2", "credentials_secret_one_current"),
        ("INSERT INTO credentials_ringrotation (ring, ring_key_id, started_by, started_at)"
         " VALUES ('vendor', 'k2', 'x', now())", "credentials_ringrotation_one_per_key"),
        ("INSERT INTO credentials_ringrotation (ring, ring_key_id, started_by, started_at)"
         " VALUES ('vendor', 'k3', 'x', now())", "credentials_ringrotation_one_at_a_time"),
    ],
)  # fmt: skip
@pytest.mark.django_db
def test_the_database_refuses_what_must_never_be(
    rings: Path, statement: str, constraint: str
) -> None:
    for value in (VALUE, "short"):
        seal_secret(VENDOR, value, ring="vendor", actor=ALICE)
    rotation = RingRotation.objects.create(
        ring="vendor", ring_key_id="k2", started_by="x", started_at=clock.now()
    )
    assert str(rotation) == "vendor to k2"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_retiredringkey (ring, ring_key_id, retired_at)"
            " VALUES ('vendor', 'k0', now())"
        )
    with pytest.raises(IntegrityError) as refused, transaction.atomic(), connection.cursor() as c:
        c.execute(statement)
    assert constraint_of(refused.value) == constraint
