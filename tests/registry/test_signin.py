from __future__ import annotations

import threading
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection
from django.http import HttpRequest
from django.test import Client, override_settings

from kernel import clock
from ledger.models import Entry
from registry.actions import brake, people
from registry.actors import Actor
from registry.authentication import PasswordBackend, address_of
from registry.errors import authentication as refused
from registry.errors.people import AccountDeactivated, NotYours
from registry.models import Person, SignInBrake, SignInLink
from registry.queries import token_for
from tests.factories import Cast, actor, make_cast, make_person, make_token

PASSWORD = "correct horse battery staple"
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


class QuickHasher(PBKDF2PasswordHasher):
    iterations = 20_000


@pytest.fixture(autouse=True)
def _quick_hashing(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.QuickHasher"]


@pytest.fixture
def cast(db: None) -> Cast:
    cast = make_cast()
    cast.alice.set_password(PASSWORD)
    cast.alice.save(update_fields=["password"])
    return cast


def secret_of(issued: people.IssuedLink) -> str:
    return issued.url_path.removeprefix("/enter/").rstrip("/")


def guess_wrong(times: int, address: str = HOME, email: str = "alice@acme.test") -> None:
    for _ in range(times):
        with pytest.raises(refused.SignInRefused):
            people.sign_in(email, "wrong", address=address)


def test_a_link_signs_one_person_in_once_and_looking_does_not_use_it(cast: Cast) -> None:
    issued = people.issue_sign_in_link(cast.alice, actor=actor(cast.pat))
    secret = secret_of(issued)
    assert secret not in repr(issued)
    assert people.sign_in_link_holder(secret) == cast.alice
    assert people.consume_sign_in_link(secret) == cast.alice
    for use in (people.consume_sign_in_link, people.sign_in_link_holder):
        with pytest.raises(refused.SignInLinkSpent):
            use(secret)
    assert secret.encode() not in bytes(SignInLink.objects.get().digest)
    assert Entry.objects.filter(verb="person.signed_in", actor=str(cast.alice.ref)).count() == 1


def test_an_expired_link_and_one_of_a_deactivated_person_are_spent(cast: Cast) -> None:
    old = people.issue_sign_in_link(cast.alice, actor=actor(cast.pat))
    past = clock.now() - timedelta(days=2)
    SignInLink.objects.update(created_at=past, expires_at=past + timedelta(days=1))
    with pytest.raises(refused.SignInLinkSpent):
        people.consume_sign_in_link(secret_of(old))
    fresh = people.issue_sign_in_link(cast.bob, actor=actor(cast.pat))
    people.deactivate_person(cast.bob, actor=actor(cast.pat))
    people.reactivate_person(cast.bob, actor=actor(cast.pat))
    with pytest.raises(refused.SignInLinkSpent):
        people.consume_sign_in_link(secret_of(fresh))


def test_only_the_platform_role_issues_links(cast: Cast) -> None:
    from registry.actors import RoleMissing

    with pytest.raises(RoleMissing):
        people.issue_sign_in_link(cast.alice, actor=actor(cast.alice))


@pytest.mark.django_db(transaction=True)
def test_of_many_who_use_one_link_at_once_one_gets_in() -> None:
    pat = make_person("pat", "platform")
    secret = secret_of(people.issue_sign_in_link(pat, actor=actor(pat)))
    together, outcomes = threading.Barrier(8), []

    def use() -> None:
        together.wait()
        try:
            people.consume_sign_in_link(secret)
            outcomes.append("in")
        except refused.SignInLinkSpent:
            outcomes.append("out")
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(outcomes) == ["in"] + ["out"] * 7


def test_the_right_password_signs_in_and_is_recorded_without_the_full_address(cast: Cast) -> None:
    assert people.sign_in(" ALICE@acme.test ", PASSWORD, address=HOME) == cast.alice
    header = bytes(Entry.objects.get(verb="person.signed_in").header)
    assert b'"network":"192.0.2.0/24"' in header
    assert HOME.encode() + b'"' not in header


def test_wrong_unknown_passwordless_and_deactivated_are_the_same_refusal(cast: Cast) -> None:
    people.deactivate_person(cast.bob, actor=actor(cast.pat))
    messages = set()
    for email in ("alice@acme.test", "nobody@acme.test", "sam@acme.test", "bob@acme.test"):
        with pytest.raises(refused.SignInRefused) as caught:
            people.sign_in(email, "wrong", address=HOME)
        messages.add(str(caught.value))
    assert len(messages) == 1
    assert Entry.objects.filter(verb="person.sign_in_refused").count() == 4
    assert Entry.objects.filter(subject="person:unknown").count() == 2


def test_an_unknown_account_costs_as_much_hashing_as_a_wrong_password(cast: Cast) -> None:
    def cost(email: str, address: str) -> float:
        started = perf_counter()
        guess_wrong(1, address, email)
        return perf_counter() - started

    known = min(cost("alice@acme.test", f"192.0.2.{n}") for n in range(1, 4))
    unknown = min(cost("nobody@acme.test", f"192.0.2.{n}") for n in range(1, 4))
    # Without the dummy hashing it is a fiftieth.
    assert unknown > known / 3


def test_guessing_is_braked_with_growing_waits_even_for_the_right_password(cast: Cast) -> None:
    guess_wrong(brake.FREE_GUESSES + 1)
    with pytest.raises(refused.SignInBraked) as caught:
        people.sign_in("alice@acme.test", PASSWORD, address=HOME)
    assert 0 < caught.value.facts["retry_after_seconds"] <= 31  # type: ignore[operator]
    SignInBrake.objects.update(free_at=clock.now())
    guess_wrong(1)
    with pytest.raises(refused.SignInBraked) as caught:
        people.sign_in("alice@acme.test", "wrong", address=HOME)
    assert caught.value.facts["retry_after_seconds"] > 31  # type: ignore[operator]


def test_nobody_can_lock_a_victim_out_from_another_address(cast: Cast) -> None:
    guess_wrong(brake.FREE_GUESSES + 1, ELSEWHERE)
    with pytest.raises(refused.SignInBraked):
        people.sign_in("alice@acme.test", "wrong", address=ELSEWHERE)
    assert people.sign_in("alice@acme.test", PASSWORD, address=HOME) == cast.alice


def test_one_address_cannot_spray_all_accounts(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brake, "FREE_GUESSES_FOR_ADDRESS", 3)
    for n in range(4):
        guess_wrong(1, ELSEWHERE, f"person{n}@acme.test")
    with pytest.raises(refused.SignInBraked):
        people.sign_in("person9@acme.test", "wrong", address=ELSEWHERE)


def test_a_success_forgives_the_failures_before_it(cast: Cast) -> None:
    for _ in range(3):
        guess_wrong(brake.FREE_GUESSES)
        people.sign_in("alice@acme.test", PASSWORD, address=HOME)


@pytest.mark.django_db(transaction=True)
def test_guesses_at_the_same_moment_are_all_counted() -> None:
    make_person("alice")
    together, outcomes = threading.Barrier(12), []

    def guess() -> None:
        together.wait()
        try:
            people.sign_in("alice@acme.test", "wrong", address=HOME)
        except (refused.SignInRefused, refused.SignInBraked) as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [threading.Thread(target=guess) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert outcomes.count("SignInRefused") == brake.FREE_GUESSES + 1
    assert outcomes.count("SignInBraked") == 12 - brake.FREE_GUESSES - 1


def test_a_password_is_set_by_its_person_alone_and_by_nothing_weaker_than_a_session(
    cast: Cast,
) -> None:
    with pytest.raises(NotYours):
        people.set_password(cast.alice, "a brand new passphrase", actor=actor(cast.pat))
    _, text = make_token(cast.alice)
    with pytest.raises(refused.NotByToken):
        people.set_password(
            cast.alice, "a brand new passphrase", actor=Actor.by_token(token_for(text))
        )


def test_a_new_password_needs_the_current_one_or_a_link(cast: Cast) -> None:
    with pytest.raises(refused.PasswordNotAcceptable, match="current"):
        people.set_password(cast.alice, "a brand new passphrase", actor=actor(cast.alice))
    people.set_password(
        cast.alice, "a brand new passphrase", actor=actor(cast.alice), current=PASSWORD
    )
    people.set_password(
        cast.alice, "another new passphrase", actor=actor(cast.alice), entered_by_link=True
    )
    people.set_password(cast.bob, "a first new passphrase", actor=actor(cast.bob))
    signed_in = people.sign_in("alice@acme.test", "another new passphrase", address=HOME)
    assert signed_in == cast.alice
    assert Entry.objects.filter(verb="person.password_changed").count() == 3


@pytest.mark.parametrize("weak", ["hunter2", "password1234", "12345678901234", "x" * 1025])
def test_a_weak_password_is_refused_with_the_reason_and_never_repeated(
    cast: Cast, weak: str
) -> None:
    with pytest.raises(refused.PasswordNotAcceptable) as caught:
        people.set_password(cast.bob, weak, actor=actor(cast.bob))
    assert weak not in str(caught.value)


def test_a_session_ends_when_its_person_is_deactivated_and_stays_ended(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice, backend="registry.authentication.PasswordBackend")
    assert client.get("/api/v1/me").status_code == 200
    people.deactivate_person(cast.alice, actor=actor(cast.pat))
    assert client.get("/api/v1/me").status_code == 401
    people.reactivate_person(cast.alice, actor=actor(cast.pat))
    assert client.get("/api/v1/me").status_code == 401


def test_the_admins_own_form_stands_behind_the_same_brake(cast: Cast) -> None:
    backend, request = PasswordBackend(), HttpRequest()
    request.META["REMOTE_ADDR"] = HOME
    assert backend.authenticate(request, "alice@acme.test", PASSWORD) == cast.alice
    guess_wrong(brake.FREE_GUESSES + 1)
    from django.core.exceptions import PermissionDenied

    with pytest.raises(PermissionDenied):
        backend.authenticate(request, "alice@acme.test", PASSWORD)


@pytest.mark.parametrize(
    ("remote", "forwarded", "behind_proxy", "seen"),
    [
        ("192.0.2.9", "203.0.113.5", False, "192.0.2.9"),
        ("127.0.0.1", "6.6.6.6, 203.0.113.5", True, "203.0.113.5"),
        ("127.0.0.1", "", True, "127.0.0.1"),
        ("2001:db8:1:2:3:4:5:6", "", False, "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.9", "", False, "192.0.2.9"),
        ("", "", False, "unknown"),
        ("127.0.0.1", "garbage", True, "unknown"),
    ],
)
def test_the_address_counted_is_not_one_the_client_can_write(
    remote: str, forwarded: str, behind_proxy: bool, seen: str
) -> None:
    request = HttpRequest()
    request.META |= {"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded}
    header = ("HTTP_X_FORWARDED_PROTO", "https") if behind_proxy else None
    with override_settings(SECURE_PROXY_SSL_HEADER=header):
        assert address_of(request) == seen


def test_a_person_is_not_found_by_a_password_that_was_never_set(cast: Cast) -> None:
    assert not Person.objects.get(email="sam@acme.test").has_usable_password()
    guess_wrong(1, HOME, "sam@acme.test")


def test_an_address_that_no_text_can_hold_is_refused_like_any_other(cast: Cast) -> None:
    guess_wrong(1, HOME, "alice\x00@acme.test")


def test_a_password_is_not_set_on_an_account_closed_meanwhile(cast: Cast) -> None:
    seen = actor(cast.bob)
    people.deactivate_person(Person.objects.get(pk=cast.bob.pk), actor=actor(cast.pat))
    with pytest.raises(AccountDeactivated):
        people.set_password(cast.bob, "a first new passphrase", actor=seen)
    assert not Person.objects.get(pk=cast.bob.pk).has_usable_password()
