"""Short tokens of a real authorization server: fetched once, kept in memory, given back."""

from __future__ import annotations

import base64
import json
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from django.db import connection
from joserfc import jwk, jwt
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from credentials.actions import seal_secret
from credentials.broker import SecretText
from credentials.errors import (
    AddressRefused,
    CredentialSettingsInvalid,
    LeaseRefused,
    NotLent,
)
from credentials.leasing import tokens, watching
from credentials.leasing.ending import end_leases, revoke_lease, revoke_leases_of
from credentials.leasing.lending import Lending, check_credential
from credentials.leasing.signing import Signer
from credentials.leasing.tokens import KEEPER, Keeper
from credentials.models import Lease
from kernel import clock
from kernel.refs import Ref, new_id, system
from ledger.models import Entry
from registry.models import Agent
from tests.credentials.leasing.authority import Authority, KnownClient, claims_of
from tests.credentials.leasing.conftest import SECRET
from tests.factories import make_agent

SAM = Ref("person", "per_sam")
Lends = Callable[..., AbstractContextManager[Lending]]


@pytest.fixture
def authority() -> Iterator[Authority]:
    made = Authority()
    made.clients["crm"] = KnownClient("crm", secret=SECRET)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def borrow(lends: Lends, authority: Authority) -> Lends:
    def lending(**over: Any) -> AbstractContextManager[Lending]:
        settings = {
            "token_url": f"{authority.url}/token", "client_id": "crm", "scope": "read",
            "revocation_url": f"{authority.url}/revoke",
        } | over.pop("settings", {})  # fmt: skip
        kind = over.pop("kind", "oauth_client")
        settings = {name: value for name, value in settings.items() if value is not None}
        return lends(kind, settings, **{"allow_private": True} | over)

    return lending


def bearer(lent: Lending) -> str:
    return lent.headers["Authorization"].removeprefix("Bearer ")


def later(seconds: float) -> Any:
    return clock.held_at(clock.now() + timedelta(seconds=seconds))


KEYS: dict[str, Callable[[], Any]] = {
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
}


def give_key(authority: Authority, place: Ref, key: Any) -> None:
    raw = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    seal_secret(place, base64.b64encode(raw).decode(), ring="tool", actor=system("test"))
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    authority.clients["crm"] = KnownClient("crm", public_key=public.decode())


@pytest.mark.parametrize("auth", ["basic", "post"])
def test_a_token_is_fetched_once_and_lent_until_it_is_old(
    borrow: Lends, authority: Authority, auth: str
) -> None:
    with borrow(settings={"auth": auth}) as lent:
        first = bearer(lent)
    with borrow(settings={"auth": auth}) as lent:
        assert bearer(lent) == first
    assert (len(authority.seen), authority.live) == (1, [first])
    lease = Lease.objects.get()
    assert (lease.state, lease.handle, lease.kept_by) == ("active", "crm read", KEEPER.name)
    assert 598 < (lease.expires_at - lease.issued_at).total_seconds() < 610
    with later(590), borrow(settings={"auth": auth}) as lent:
        assert bearer(lent) != first
    assert len(authority.live) == 2
    shown = repr(lent) + repr(KEEPER) + str(list(Lease.objects.values()))
    assert not any(text in shown for text in [SECRET, *authority.live])


def test_agents_scopes_and_connections_do_not_share_a_token(
    borrow: Lends, authority: Authority
) -> None:
    other = make_agent("another", stage="live")
    seen = set()
    for over in ({}, {"settings": {"scope": "write"}}, {"holder_agent": other.public_id}):
        with borrow(**over) as lent:
            seen.add(bearer(lent))
    assert len(seen) == 3


def test_a_secret_with_every_character_is_encoded_before_it_is_joined(
    borrow: Lends, authority: Authority, place: Ref
) -> None:
    odd = "a:b%c+d e&f=g/h?-odd-canary"
    seal_secret(place, odd, ring="tool", actor=system("test"))
    authority.clients["crm"].secret = odd
    with borrow(settings={"auth": "post"}):
        assert len(authority.live) == 1


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_a_client_signs_for_itself(
    borrow: Lends, authority: Authority, place: Ref, algorithm: str
) -> None:
    give_key(authority, place, KEYS[algorithm]())
    with borrow(settings={"auth": "private_key_jwt", "key_id": "k1"}) as lent:
        assert bearer(lent) == authority.live[0]
    claims = claims_of(authority.seen[0]["client_assertion"])
    assert (claims["iss"], claims["sub"], claims["exp"] - claims["iat"]) == ("crm", "crm", 60)


def test_the_key_says_how_it_signs() -> None:
    for name, generate in KEYS.items():
        key = generate()
        raw = key.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        signer = Signer.of(SecretText(base64.b64encode(raw).decode()))
        signed = signer.sign(issuer="i", subject="s", audience="a")
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        kind = {"EdDSA": "OKP", "ES256": "EC", "RS256": "RSA"}[name]
        with warnings.catch_warnings(action="ignore"):  # EdDSA has a newer name as well
            import_key: Any = jwk.import_key
            read = jwt.decode(signed, import_key(public, kind), algorithms=[name])
        assert (read.header["alg"], read.claims["sub"]) == (name, "s")
        assert "PRIVATE" not in repr(signer)
    short: Any = rsa.generate_private_key(65537, 1024)  # noqa: S505  refused
    for weak in (ec.generate_private_key(ec.SECP384R1()), short):
        raw = weak.private_bytes(
            serialization.Encoding.DER,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        with pytest.raises(NotLent):
            Signer.of(SecretText(base64.b64encode(raw).decode()))


def test_a_token_is_exchanged_for_an_agent_and_says_who_acts(
    borrow: Lends, authority: Authority, place: Ref, agent: Agent
) -> None:
    give_key(authority, place, KEYS["ES256"]())
    settings = {"actor": "unsprawl", "audience": "ledger-api", "resource": "https://api.example/"}
    with borrow(kind="token_exchange", settings=settings) as lent:
        assert bearer(lent) == authority.issued[0].text
    assert authority.issued[0].subject == f"{agent.public_id} by unsprawl"
    sent = authority.seen[0]
    assert (sent["audience"], sent["resource"]) == ("ledger-api", "https://api.example/")
    assert sent["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"


def test_a_configured_token_is_exchanged_as_it_is(borrow: Lends, httpserver: HTTPServer) -> None:
    body = {"access_token": "abc", "token_type": "bearer", "expires_in": 60,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}  # fmt: skip
    httpserver.expect_request("/token").respond_with_json(body)
    settings = {"subject": "secret", "subject_type": "access_token",
                "token_url": httpserver.url_for("/token")}  # fmt: skip
    with borrow(kind="token_exchange", settings=settings) as lent:
        assert bearer(lent) == "abc"
    form = httpserver.log[0][0].form
    assert (form["subject_token"], form["client_id"]) == (SECRET, "crm")


def test_a_revoked_token_is_given_back_and_never_lent_again(
    borrow: Lends, authority: Authority, agent: Agent
) -> None:
    with borrow() as lent:
        first = bearer(lent)
    assert revoke_leases_of(agent.public_id, actor=SAM, reason="leak") == 1
    with borrow() as lent:  # not stopped: it may have another
        assert bearer(lent) != first
    assert watching.look() == 1
    assert first not in authority.live
    lease = Lease.objects.order_by("id")[0]
    assert lease.state == "revoked"
    verbs = Entry.objects.filter(subject=str(lease.ref)).order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == [
        "lease.issued", "lease.recalled", "lease.revoked",
    ]  # fmt: skip


def test_a_token_that_nobody_can_give_back_is_irrevocable_until_its_time(
    borrow: Lends, authority: Authority, agent: Agent
) -> None:
    with borrow(settings={"revocation_url": None}) as lent:
        revoke_lease(lent.lease_id, actor=SAM, reason="leak")
        assert not lent.is_live
    assert end_leases() == 0
    lease = Lease.objects.get()
    assert (lease.state, lease.fault) == ("irrevocable", "no_revocation")
    assert len(authority.live) == 1  # and so it says until when
    assert KEEPER.of(lease.public_id) is None
    with later(601):
        assert end_leases() == 1
    lease.refresh_from_db()
    assert lease.state == "expired"


def test_a_server_that_does_not_take_a_token_back_now_is_asked_again(
    borrow: Lends, authority: Authority
) -> None:
    with borrow() as lent:
        revoke_lease(lent.lease_id, actor=SAM, reason="leak")
    authority.revocation_status = 503
    assert end_leases() == 0
    assert Lease.objects.get().fault == "unavailable"
    authority.revocation_status = 0
    with later(5):
        assert end_leases() == 1
    assert authority.live == []


def test_the_token_of_a_process_that_died_is_irrevocable(
    borrow: Lends, monkeypatch: pytest.MonkeyPatch
) -> None:
    with borrow() as lent:
        revoke_lease(lent.lease_id, actor=SAM, reason="leak")
    monkeypatch.setattr(tokens, "KEEPER", Keeper())  # another process looks
    moment = clock.now()
    for _ in range(15):
        moment += timedelta(seconds=2)
        with clock.held_at(moment):
            end_leases()
    lease = Lease.objects.get()
    assert (lease.state, lease.fault) == ("irrevocable", "kept_elsewhere")


def test_a_forked_process_keeps_tokens_under_a_name_of_its_own(borrow: Lends) -> None:
    with borrow():
        pass
    hears, tells = os.pipe()
    child = os.fork()
    if not child:
        os.write(tells, f"{KEEPER.name} {KEEPER.is_empty}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(tells)
    with os.fdopen(hears) as told:
        name, is_empty = told.read().split()
    assert name.startswith("mem_")
    assert name != KEEPER.name
    assert (is_empty, KEEPER.is_empty) == ("True", False)


def test_an_agent_that_was_stopped_does_not_get_a_kept_token(borrow: Lends, agent: Agent) -> None:
    with borrow():
        pass
    Agent.objects.filter(pk=agent.pk).update(
        suspended_at=clock.now(), suspended_reason="r", suspended_by="person:per_sam"
    )
    with pytest.raises(LeaseRefused), borrow():
        raise AssertionError


@pytest.mark.django_db(transaction=True)
def test_many_who_need_one_token_fetch_it_once(borrow: Lends, authority: Authority) -> None:
    authority.pause = 0.2
    got: list[str] = []

    def use() -> None:
        try:
            with borrow() as lent:
                got.append(bearer(lent))
        finally:
            connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (len(got), len(set(got)), len(authority.seen)) == (8, 1, 1)


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"client_id": "nobody"}, "invalid_client"),
        ({"token_url": "http://127.0.0.1:1/token"}, "unreachable"),
        ({"auth": "private_key_jwt"}, "key"),
    ],
)
def test_a_refusal_is_one_of_a_few_words(borrow: Lends, over: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotLent) as failed, borrow(settings=over):
        raise AssertionError
    assert failed.value.facts == {"reason": reason}
    assert Lease.objects.get().state == "returned"


GOOD = {"access_token": "abc", "token_type": "Bearer", "expires_in": 60}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (GOOD | {"token_type": "mac"}, "answer"),
        (GOOD | {"token_type": None}, "answer"),
        (GOOD | {"expires_in": "60"}, "answer"),
        (GOOD | {"expires_in": 0}, "answer"),
        (GOOD | {"expires_in": -5}, "answer"),
        (GOOD | {"expires_in": True}, "answer"),
        (GOOD | {"expires_in": 60.5}, "answer"),
        (GOOD | {"expires_in": 10**12}, "answer"),
        ({"access_token": "abc", "token_type": "Bearer"}, "answer"),
        (GOOD | {"access_token": ""}, "answer"),
        (GOOD | {"access_token": 7}, "answer"),
        (GOOD | {"access_token": "a\r\nX-Evil: 1"}, "answer"),
        (GOOD | {"access_token": "a b"}, "answer"),
        (GOOD | {"access_token": "é"}, "answer"),
        (GOOD | {"access_token": "a" * 9000}, "answer"),
        (GOOD | {"scope": "read admin"}, "answer"),
        (GOOD | {"scope": 7}, "answer"),
        ([GOOD], "answer"),
        (b'{"access_token": "a", "access_token": "b"}', "answer"),
        (b"not json", "answer"),
        (b"x" * 70_000, "too_large"),
    ],
)
def test_an_answer_is_read_strictly(
    borrow: Lends, httpserver: HTTPServer, said: Any, reason: str
) -> None:
    def answer(_: Request) -> Response:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        return Response(body, content_type="application/json;charset=UTF-8")

    httpserver.expect_request("/token").respond_with_handler(answer)
    with pytest.raises(NotLent) as failed, borrow(
        settings={"token_url": httpserver.url_for("/token")}
    ):  # fmt: skip
        raise AssertionError
    assert failed.value.facts == {"reason": reason}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (400, b'{"error": "invalid_scope", "error_description": "canary"}', "invalid_scope"),
        (401, b'{"error": "canary"}', "refused"),
        (403, b"<html>canary</html>", "refused"),
        (400, b'{"error": ["canary"]}', "refused"),
        (500, b'{"error": "invalid_client"}', "unavailable"),
        (429, b"", "unavailable"),
        (302, b"", "refused"),
    ],
)
def test_nothing_of_a_refusal_is_repeated(
    borrow: Lends, httpserver: HTTPServer, caplog: Any, status: int, body: bytes, reason: str
) -> None:
    elsewhere = {"Location": httpserver.url_for("/other")}
    httpserver.expect_request("/token").respond_with_data(body, status=status, headers=elsewhere)
    with pytest.raises(NotLent) as failed, borrow(
        settings={"token_url": httpserver.url_for("/token")}
    ):  # fmt: skip
        raise AssertionError
    assert failed.value.facts == {"reason": reason}
    assert "canary" not in caplog.text + str(failed.value) + failed.value.detail
    assert len(httpserver.log) == 1


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"client_id": ""}, "client_id"),
        ({"scope": "a  b"}, "scope"),
        ({"scope": 'a"b'}, "scope"),
        ({"auth": "none"}, "auth"),
        ({"auth": "tls_client_auth"}, "auth"),
        ({"subject": "agent"}, "subject"),
        ({"client_secret": "x"}, "client_secret"),
    ],
)
def test_settings_of_a_client_are_read_strictly(given: dict[str, Any], field: str) -> None:
    settings = {"token_url": "https://idp.example.com/token", "client_id": "crm"}
    check_credential("oauth_client", settings)
    with pytest.raises(CredentialSettingsInvalid) as refused:
        check_credential("oauth_client", settings | given)
    assert refused.value.facts["field"] == field
    check_credential("token_exchange", settings)
    for broken in ({"auth": "basic"}, {"subject": "secret", "actor": "x"}, {"subject": "owner"}):
        with pytest.raises(CredentialSettingsInvalid):
            check_credential("token_exchange", settings | broken)


def test_an_endpoint_inside_needs_an_administrators_word() -> None:
    for url in ("http://127.0.0.1/token", "https://169.254.169.254/token", "https://10.0.0.1/"):
        for settings in (
            {"token_url": url, "client_id": "crm"},
            {"token_url": "https://a.example/", "revocation_url": url, "client_id": "crm"},
        ):
            with pytest.raises(AddressRefused):
                check_credential("oauth_client", settings)


def test_leases_of_tokens_say_how_they_were_asked_for(borrow: Lends) -> None:
    with borrow(proposal=new_id("prp")):
        pass
    assert Lease.objects.get().terms == {"revocable": True, "client": "crm"}
