from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import IntegrityError, connection, transaction

from kernel import clock
from kernel.keys import parse
from ledger.models import Entry
from registry.actions import people
from registry.actions.tokens import BOOTSTRAP_EMAIL
from registry.actors import Actor
from registry.errors import authentication as refused
from registry.errors.people import NotYours, UnknownRole
from registry.models import Person, PersonToken
from registry.queries import token_for
from tests.factories import Cast, actor, make_cast, make_token


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def issue(person: Person, by: Actor, **over: object) -> people.IssuedToken:
    given = {"name": "ci", "roles": ["employee"], "expires_in_days": 30} | over
    return people.issue_token(person, actor=by, **given)  # type: ignore[arg-type]


def test_a_token_is_shown_once_and_stored_as_a_keyed_hash(cast: Cast) -> None:
    issued = issue(cast.alice, actor(cast.alice))
    credential = parse(issued.text)
    assert credential is not None
    assert credential.prefix == "ust"
    assert issued.text not in repr(issued)
    stored = bytes(PersonToken.objects.get(pk=issued.row.pk).digest)
    assert len(stored) == 32
    header = bytes(Entry.objects.get(verb="token.issued").header)
    assert credential.key_id.encode() not in header
    assert token_for(issued.text).person == cast.alice


@pytest.mark.parametrize("days", [0, -1, 366, 10**9])
def test_every_token_expires_within_a_year(cast: Cast, days: int) -> None:
    with pytest.raises(refused.TokenLifetimeWrong):
        issue(cast.alice, actor(cast.alice), expires_in_days=days)


def test_a_token_carries_no_role_its_person_lacks(cast: Cast) -> None:
    with pytest.raises(refused.TokenTooWide):
        issue(cast.alice, actor(cast.alice), roles=["security"])
    with pytest.raises(UnknownRole):
        issue(cast.alice, actor(cast.alice), roles=[])


def test_an_administrator_cannot_issue_a_security_token_for_somebody_else(cast: Cast) -> None:
    with pytest.raises(refused.TokenTooWide):
        issue(cast.sam, actor(cast.pat), roles=["security"])


def test_nobody_issues_or_revokes_for_somebody_else(cast: Cast) -> None:
    with pytest.raises(NotYours):
        issue(cast.alice, actor(cast.mallory))
    token, _ = make_token(cast.alice)
    with pytest.raises(NotYours):
        people.revoke_token(cast.alice, token.public_id, actor=actor(cast.mallory))
    with pytest.raises(refused.TokenNotFound):
        people.revoke_token(cast.mallory, token.public_id, actor=actor(cast.mallory))


def test_a_narrowed_token_cannot_beget_a_wider_or_longer_one(cast: Cast) -> None:
    parent, text = make_token(cast.sam, ["employee"], expires_at=clock.now() + timedelta(days=2))
    by_token = Actor.by_token(token_for(text))
    with pytest.raises(refused.TokenTooWide):
        issue(cast.sam, by_token, roles=["security"])
    child = issue(cast.sam, by_token, expires_in_days=300)
    assert child.row.expires_at == parent.expires_at


def test_revoking_a_token_revokes_what_it_begot(cast: Cast) -> None:
    parent = issue(cast.alice, actor(cast.alice))
    child = issue(cast.alice, Actor.by_token(token_for(parent.text)))
    grandchild = issue(cast.alice, Actor.by_token(token_for(child.text)))
    other = issue(cast.alice, actor(cast.alice))
    people.revoke_token(cast.alice, parent.row.public_id, actor=actor(cast.alice))
    people.revoke_token(cast.alice, parent.row.public_id, actor=actor(cast.alice))
    for dead in (parent, child, grandchild):
        with pytest.raises(refused.TokenRevoked):
            token_for(dead.text)
    assert token_for(other.text).person == cast.alice
    assert Entry.objects.filter(verb="token.revoked").count() == 3


def test_half_a_token_and_a_strange_one_are_unknown(cast: Cast) -> None:
    text = issue(cast.alice, actor(cast.alice)).text
    for wrong in (text[:-1], text[:-1] + "!", text.upper(), "", "x" * 600, text + "\x00", "é"):
        with pytest.raises(refused.TokenUnknown):
            token_for(wrong)


def test_an_expired_token_is_refused_by_the_databases_clock(cast: Cast) -> None:
    past = clock.now() - timedelta(days=2)
    _, text = make_token(cast.alice, created_at=past, expires_at=past + timedelta(days=1))
    with pytest.raises(refused.TokenExpired):
        token_for(text)


def test_the_database_refuses_a_token_that_expires_before_it_is_made(cast: Cast) -> None:
    make_token(cast.alice)
    with pytest.raises(IntegrityError, match="expires_later"), transaction.atomic():
        connection.cursor().execute("UPDATE registry_persontoken SET expires_at = created_at")


def test_the_bootstrap_token_is_made_once_and_never_stored(db: None) -> None:
    value = "an-operators-own-choice-of-40-characters"
    first, again = people.ensure_bootstrap_token(value), people.ensure_bootstrap_token(value)
    assert first is not None
    assert again is not None
    assert first.pk == again.pk
    token = token_for(value)
    assert token.person.email == BOOTSTRAP_EMAIL
    assert token.person.name == "Bootstrap automation"
    assert Actor.by_token(token).roles == {"employee", "platform"}
    assert not token.person.has_usable_password()
    assert Entry.objects.filter(verb="token.issued").count() == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, '') FROM registry_persontoken t")
        assert value not in cursor.fetchone()[0]


def test_another_bootstrap_value_revokes_the_one_before(db: None) -> None:
    people.ensure_bootstrap_token("first" * 10)
    people.ensure_bootstrap_token("second" * 10)
    with pytest.raises(refused.TokenRevoked):
        token_for("first" * 10)
    assert token_for("second" * 10).person.email == BOOTSTRAP_EMAIL
    people.ensure_bootstrap_token("first" * 10)
    assert token_for("first" * 10).person.email == BOOTSTRAP_EMAIL
    people.ensure_bootstrap_token("")
    with pytest.raises(refused.TokenRevoked):
        token_for("first" * 10)


def test_a_bootstrap_token_near_its_end_is_renewed(db: None) -> None:
    row = people.ensure_bootstrap_token("value" * 10)
    assert row is not None
    PersonToken.objects.filter(pk=row.pk).update(expires_at=clock.now() + timedelta(days=1))
    renewed = people.ensure_bootstrap_token("value" * 10)
    assert renewed is not None
    assert renewed.expires_at > clock.now() + timedelta(days=300)


def test_a_short_bootstrap_value_is_refused_without_being_repeated(db: None) -> None:
    with pytest.raises(refused.BootstrapTokenTooShort) as caught:
        people.ensure_bootstrap_token("hunter2" * 4)
    assert "hunter2" not in str(caught.value)
    assert not Person.objects.exists()


def test_no_bootstrap_value_makes_no_account(db: None) -> None:
    assert people.ensure_bootstrap_token("") is None
    assert not Person.objects.exists()


def test_the_token_command_prints_the_token_and_nothing_else(
    db: None, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command(
        "token", "--email", "Sec@acme.test", "--roles", "security,employee", "--team", "Risk"
    )
    told = capsys.readouterr()
    assert told.out.count("\n") == 1
    token = token_for(told.out.strip())
    assert told.out.strip() not in told.err
    assert token.person.email == "sec@acme.test"
    assert sorted(token.roles) == ["employee", "security"]
    assert token.person.team is not None
    assert token.person.team.name == "Risk"
    assert set(Entry.objects.values_list("actor", flat=True)) == {"system:operator"}


def test_the_token_command_says_what_is_wrong(db: None) -> None:
    with pytest.raises(CommandError, match="no role 'root'"):
        call_command("token", "--email", "a@acme.test", "--roles", "root")
    with pytest.raises(CommandError, match="e-mail"):
        call_command("token", "--email", "nobody", "--roles", "employee")
    with pytest.raises(CommandError, match="1 to 365"):
        call_command("token", "--email", "a@acme.test", "--roles", "employee", "--days", "0")
    assert not Person.objects.exists()


def test_the_sign_in_link_command_prints_an_address(
    cast: Cast, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("signin_link", "--email", "ALICE@acme.test")
    address = capsys.readouterr().out.strip()
    secret = address.split("/enter/")[1].strip("/")
    assert people.consume_sign_in_link(secret) == cast.alice
    with pytest.raises(CommandError, match="no person"):
        call_command("signin_link", "--email", "nobody@acme.test")
