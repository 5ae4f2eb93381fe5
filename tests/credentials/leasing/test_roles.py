"""A role of a real second server is made for one sending, and gone after it, whatever happens."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.places import BASE_DIR
from credentials import databases
from credentials.actions import seal_secret
from credentials.errors import AddressRefused, CredentialSettingsInvalid, NotLent
from credentials.leasing.ending import ATTEMPTS, end_leases, revoke_lease, revoke_leases_of
from credentials.leasing.lending import Lending, check_credential
from credentials.leasing.roles import Server, drop_orphans
from credentials.models import Lease
from kernel import clock
from kernel.refs import Ref, system
from ledger.models import Entry
from registry.models import Agent
from tests.credentials.leasing.elsewhere import ADMIN, Elsewhere

pytestmark = pytest.mark.xdist_group("elsewhere")
SAM = Ref("person", "per_sam")
GRANTS = [
    {"table": "public.invoices", "privileges": ["select", "insert"]},
    {"table": 'public.Odd "Name"x', "privileges": ["SELECT"], "columns": ["id"]},
    {"schema": "desk", "privileges": ["usage"]},
]
SETTINGS: dict[str, Any] = {"admin_user": ADMIN, "grants": GRANTS}
Lends = Callable[..., AbstractContextManager[Lending]]


@pytest.fixture
def borrow(lends: Lends, crm: Ref, elsewhere: Elsewhere) -> Lends:
    def lending(**over: Any) -> AbstractContextManager[Lending]:
        settings = SETTINGS | over.pop("settings", {})
        given: dict[str, Any] = {
            "connection_ref": crm, "place": elsewhere.place | {"other": 1}, "allow_private": True,
        }  # fmt: skip
        return lends("postgresql_role", settings, **given | over)

    return lending


def later(seconds: float) -> Any:
    return clock.held_at(clock.now() + timedelta(seconds=seconds))


def test_a_role_may_do_what_was_granted_and_is_gone_after(
    borrow: Lends, elsewhere: Elsewhere
) -> None:
    with borrow() as lent:
        assert elsewhere.roles() == [lent.user]
        with elsewhere.sign_in(lent.user, lent.password) as session:
            session.execute("INSERT INTO invoices VALUES (2, 200) ON CONFLICT DO NOTHING")
            session.execute('SELECT id FROM "Odd ""Name""x"')
            for forbidden in (
                "SELECT * FROM salaries",
                "DELETE FROM invoices",
                "CREATE ROLE mine",
                "CREATE TABLE public.mine (id int)",
                "SELECT pg_read_file('/etc/passwd')",
            ):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    session.execute(forbidden)
            with pytest.raises(psycopg.OperationalError):  # one session, and no more
                elsewhere.sign_in(lent.user, lent.password)
    assert elsewhere.roles() == []
    lease = Lease.objects.get()
    assert (lease.state, lease.handle) == ("returned", lent.user)
    said = elsewhere.said() + str(Lease.objects.values().get()) + repr(lent)
    assert lent.user in said
    for secret in (lent.password, elsewhere.admin_password):
        assert secret not in said.replace(f"PASSWORD '{elsewhere.admin_password}'", "")


def test_the_role_of_a_lost_sending_dies_with_its_sessions_and_what_it_owned(
    borrow: Lends, elsewhere: Elsewhere
) -> None:
    lending = borrow(settings={"member_of": ["crm_writer"], "connection_limit": 3}, seconds=5)
    lent = lending.__enter__()
    session = elsewhere.sign_in(lent.user, lent.password)
    session.execute("CREATE TABLE desk.left_behind (id int)")
    session.execute("INSERT INTO salaries VALUES (7)")
    end_leases()
    assert elsewhere.roles() == [lent.user]
    with later(6):
        assert end_leases() == 1
    assert Lease.objects.get().state == "expired"
    with pytest.raises(psycopg.OperationalError):
        session.execute("SELECT 1")
    assert elsewhere.roles() == []
    with elsewhere.admin() as admin:
        owner = admin.execute("SELECT tableowner FROM pg_tables WHERE tablename = 'left_behind'")
        assert owner.fetchall() == [(ADMIN,)]
        admin.execute("DROP TABLE desk.left_behind")
    lending.__exit__(None, None, None)


def test_a_role_cannot_sign_in_after_its_time_though_nobody_drops_it(
    borrow: Lends, elsewhere: Elsewhere
) -> None:
    with borrow() as lent, elsewhere.server.connect() as superuser:
        row = superuser.execute(
            "SELECT rolvaliduntil, rolconnlimit, rolsuper, rolcreaterole FROM pg_roles"
            " WHERE rolname = %s",
            [lent.user],
        ).fetchone()
        assert row == (Lease.objects.get().expires_at, 1, False, False)


def test_a_kill_ends_a_role_while_it_is_used(
    borrow: Lends, elsewhere: Elsewhere, agent: Agent
) -> None:
    with borrow() as lent:
        session = elsewhere.sign_in(lent.user, lent.password)
        assert revoke_leases_of(agent.public_id, actor=SAM, reason="killed") == 1
        assert not lent.is_live
        assert end_leases() == 1
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
        assert elsewhere.roles() == []
    assert Lease.objects.get().state == "revoked"


def test_a_server_that_is_away_makes_it_irrevocable_until_somebody_tries_again(
    borrow: Lends, elsewhere: Elsewhere
) -> None:
    lending = borrow(seconds=5)
    lent = lending.__enter__()
    elsewhere.server.stop()
    revoke_lease(lent.lease_id, actor=SAM, reason="leak")
    moment = clock.now()
    for attempt in range(1, ATTEMPTS + 1):
        moment += timedelta(seconds=61)
        with clock.held_at(moment):
            assert end_leases() == 0
        assert Lease.objects.get().attempts == attempt
    lease = Lease.objects.get()
    assert (lease.state, lease.fault) == ("irrevocable", "unreachable")
    said = Entry.objects.get(verb="lease.irrevocable")
    assert said.subject == str(lease.ref)
    elsewhere.spawn()
    with clock.held_at(moment):
        assert end_leases() == 0  # a role does not die by itself: somebody has to look
        revoke_lease(lent.lease_id, actor=SAM, reason="it is back")
        assert end_leases() == 1
    lease.refresh_from_db()
    assert (lease.state, elsewhere.roles()) == ("revoked", [])
    lending.__exit__(None, None, None)


def test_a_role_that_could_not_be_made_lends_nothing(
    borrow: Lends, elsewhere: Elsewhere, crm: Ref
) -> None:
    for settings, place, reason in (
        ({"grants": [{"table": "public.nowhere", "privileges": ["select"]}]}, {}, "missing"),
        ({"admin_user": "nobody"}, {}, "sign_in"),
        ({}, {"database": "nowhere"}, "sign_in"),
        ({}, {"port": 1}, "unreachable"),
        ({"member_of": ["postgres_is_not_ours"]}, {}, "missing"),
    ):
        with pytest.raises(NotLent) as failed, borrow(
            settings=settings, place=elsewhere.place | place
        ):  # fmt: skip
            raise AssertionError
        assert failed.value.facts == {"reason": reason}
    assert elsewhere.roles() == []
    seal_secret(crm, "not-the-password", ring="tool", actor=system("test"))
    with pytest.raises(NotLent) as failed, borrow():
        raise AssertionError
    assert failed.value.facts == {"reason": "sign_in"}
    assert set(Lease.objects.values_list("state", flat=True)) == {"revoking"}


def test_a_server_that_wants_the_password_in_the_clear_does_not_get_it(
    borrow: Lends, elsewhere: Elsewhere
) -> None:
    hba = elsewhere.server.data / "pg_hba.conf"
    before = hba.read_text(encoding="utf-8")
    hba.write_text(f"host all {ADMIN} all password\n{before}", encoding="utf-8")
    try:
        with elsewhere.server.connect() as superuser:
            superuser.execute("SELECT pg_reload_conf()")
        with pytest.raises(NotLent), borrow():
            raise AssertionError
    finally:
        hba.write_text(before, encoding="utf-8")
        with elsewhere.server.connect() as superuser:
            superuser.execute("SELECT pg_reload_conf()")


def test_a_server_that_says_nothing_costs_a_bounded_time(
    borrow: Lends, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(silent.accept()[0]), daemon=True)
        thread.start()
        began = time.monotonic()
        place = elsewhere.place | {"host": "127.0.0.1", "port": silent.getsockname()[1]}
        with pytest.raises(NotLent), borrow(place=place):
            raise AssertionError
        assert time.monotonic() - began < 30
        for peer in accepted:
            peer.close()


def test_roles_that_no_lease_knows_are_dropped_and_those_of_others_are_not(
    borrow: Lends, elsewhere: Elsewhere, crm: Ref
) -> None:
    lending = borrow()
    lent = lending.__enter__()
    orphan = borrow()
    lost = orphan.__enter__()
    server = Server.of(Lease.objects.get(public_id=lost.lease_id))
    with elsewhere.admin() as admin:
        admin.execute("CREATE ROLE unsprawl_lse_of_another_house")
        admin.execute("COMMENT ON ROLE unsprawl_lse_of_another_house IS 'unsprawl lease of 0000'")
        admin.execute("CREATE ROLE unsprawl_lse_by_hand")
    try:
        assert drop_orphans(server) == []
        Lease.objects.filter(public_id=lost.lease_id).delete()  # as a restore would
        assert drop_orphans(server) == [lost.user]
        assert lent.user in elsewhere.roles()
        assert Entry.objects.filter(verb="lease.orphan_dropped").count() == 1
    finally:
        with elsewhere.admin() as admin:
            admin.execute("DROP ROLE unsprawl_lse_of_another_house, unsprawl_lse_by_hand")
        lending.__exit__(None, None, None)
    assert elsewhere.roles() == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"grants": []}, "grants"),
        ({"grants": "ALL"}, "grants"),
        ({"grants": ["SELECT ON invoices"]}, "grants/0"),
        ({"grants": [{"table": "a", "schema": "b", "privileges": ["select"]}]}, "grants/0"),
        ({"grants": [{"table": "a", "privileges": ["select; DROP TABLE x"]}]}, "grants/0"),
        ({"grants": [{"table": "a", "privileges": []}]}, "grants/0"),
        ({"grants": [{"table": "a.b.c", "privileges": ["select"]}]}, "grants/0"),
        ({"grants": [{"schema": "a", "privileges": ["create"]}]}, "grants/0"),
        ({"grants": [{"table": "a", "privileges": ["delete"], "columns": ["x"]}]}, "grants/0"),
        ({"grants": [{"table": "a", "privileges": ["select"], "sql": "x"}]}, "sql"),
        ({"member_of": ["pg_write_server_files"]}, "member_of/0"),
        ({"member_of": ["a\nb"]}, "member_of/0"),
        ({"connection_limit": 0}, "connection_limit"),
        ({"connection_limit": True}, "connection_limit"),
        ({"statement": "GRANT ALL"}, "statement"),
        ({"tls": "prefer"}, "tls"),
        ({"ca_pem": "not a certificate"}, "ca_pem"),
        ({"host": ""}, "host"),
        ({"port": 0}, "port"),
    ],
)
def test_settings_of_a_role_are_read_strictly(given: dict[str, Any], field: str) -> None:
    place = {"host": "10.0.0.1", "database": "crm", "tls": "off"}
    with pytest.raises(CredentialSettingsInvalid) as refused:
        check_credential("postgresql_role", SETTINGS | given, place=place, allow_private=True)
    assert refused.value.facts["field"] == field


def test_a_server_inside_needs_an_administrators_word() -> None:
    for place in ({"host": "10.0.0.1"}, {"host": "169.254.169.254"}, {"host": "[::1]"}):
        with pytest.raises(AddressRefused):
            check_credential("postgresql_role", SETTINGS | {"database": "crm"}, place=place)
    public = {"host": "db.example.com", "database": "crm"}
    check_credential("postgresql_role", SETTINGS, place=public)
    with pytest.raises(CredentialSettingsInvalid):
        check_credential("postgresql_role", SETTINGS | {"tls": "off"}, place=public)


# Each wraps one step so that the process dies before or after it; none replaces it.
PROGRAM = """
import json, os, signal, sys
import django
django.setup()
from credentials.leasing import books, ending, lending, roles
from kernel.refs import Ref
holder, name, when = {
    "the row is written": (books, "issue", "after"),
    "the verifier is made": (roles, "_verifier", "after"),
    "the role is made": (roles, "_make", "after"),
    "it is asked to end": (books, "begin_ending", "after"),
    "it may not sign in": (roles, "_say_goodbye", "before"),
    "its sessions are gone": (roles, "_say_goodbye", "after"),
    "it is dropped": (roles, "_drop", "after"),
    "its end is written": (books, "close", "after"),
}[sys.argv[1]]
step = getattr(holder, name)
def dying(*args, **kwargs):
    if when == "after":
        step(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(holder, name, dying)
given = json.loads(sys.argv[2])
with lending.lend(connection_ref=Ref.parse(given.pop("connection")), **given):
    pass
"""
STEPS = [
    line.split('"')[1]
    for line in PROGRAM.splitlines()
    if line.startswith('    "') and '": (' in line
]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_no_role_stays(
    step: str, agent: Agent, crm: Ref, rings: Path, elsewhere: Elsewhere, owner_address: str
) -> None:
    given = {
        "connection": str(crm), "kind": "postgresql_role", "settings": SETTINGS,
        "holder_agent": agent.public_id, "proposal": "prp_x", "seconds": 20,
        "place": elsewhere.place, "allow_private": True,
    }  # fmt: skip
    environment = os.environ | {"DATABASE_URL": owner_address, "UNSPRAWL_KEYS_DIR": str(rings)}
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, step, json.dumps(given)],
        cwd=BASE_DIR, env=environment, check=False, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    lease = Lease.objects.get()
    known = {lease.handle}
    assert set(elsewhere.roles()) <= known
    with later(90):
        end_leases()
    lease.refresh_from_db()
    assert elsewhere.roles() == []
    assert lease.state in Lease.ENDED
    ended = Entry.objects.filter(
        subject=str(lease.ref), verb__in=("lease.expired", "lease.returned")
    )
    assert ended.count() == 1
