"""Answers that come back: forged, old, repeated or somebody else's ones decide nothing."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from slack_sdk.signature import SignatureVerifier
from standardwebhooks import Webhook

from approvals.actions import decide_review
from approvals.actions.settling_arrivals import settle_arrivals
from approvals.channels.buttons import Button
from approvals.channels.secrets import INBOUND
from approvals.channels.signatures import is_signed_by_slack, new_signing_secret, sign
from approvals.models import Arrival, Channel, Review
from credentials.actions import seal_secret
from credentials.broker import SecretText
from kernel.canonical import digest
from ledger.models import Entry
from registry.actors import Actor
from tests.approvals.channels.receivers import Receiver, make_channel
from tests.factories import Cast, actor, make_person, operator

SLACK_SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
WORKER = Actor.system("channels")


def sealed_door(channel: Channel, text: str, by: str = "") -> None:
    seal_secret(channel.door, text, ring=INBOUND, actor=operator().ref)
    Channel.objects.filter(pk=channel.pk).update(decides_by=by)


# --- signed webhooks


@pytest.fixture
def secret() -> str:
    return new_signing_secret()


@pytest.fixture
def hook(cast: Cast, secret: str) -> Channel:
    channel = make_channel(address="http://127.0.0.1:9/", decides_up_to="money")
    sealed_door(channel, secret)
    return channel


def decision(review: Review, **over: Any) -> dict[str, Any]:
    return {
        "id": review.public_id,
        "decisions": [{"type": "approve"}],
        "decided_by": "sam@acme.test",
        "args_sha256": review.digest,
    } | over


def post(
    channel: Channel,
    body: dict[str, Any] | bytes,
    secret: str,
    ident: str = "msg_1",
    at: datetime | None = None,
    over: dict[str, str] | None = None,
) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    at = at or datetime.now(UTC)
    headers = {
        "webhook-id": ident,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(ident, at, raw.decode()),
    } | (over or {})
    return Client(enforce_csrf_checks=True).generic(
        "POST",
        f"/api/v1/channels/{channel.public_id}/decisions",
        raw,
        content_type="application/json",
        headers=headers,
    )


def test_a_signed_decision_decides_in_the_name_of_a_person(
    hook: Channel, secret: str, opened: Callable[..., Review]
) -> None:
    review = opened()
    answer = post(hook, decision(review), secret)
    assert answer.status_code == 200
    assert answer.json() == {
        "id": review.public_id, "state": "approved", "decision": "approve",
        "decided_by": "sam@acme.test",
    }  # fmt: skip
    review.refresh_from_db()
    assert review.state == "approved"
    facts = Entry.objects.get(verb="answer.taken")
    assert facts.actor.startswith("person:")


def test_the_same_request_again_gets_the_same_answer_and_decides_once(
    hook: Channel, secret: str, opened: Callable[..., Review]
) -> None:
    review = opened()
    first = post(hook, decision(review), secret)
    again = post(hook, decision(review), secret)
    assert again.json() == first.json()
    assert review.decisions.count() == 1
    other = post(hook, decision(opened()), secret)
    assert (other.status_code, other.json()["code"]) == (409, "approvals.arrival_repeated")


@pytest.mark.parametrize(
    "over",
    [
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1," + base64.b64encode(b"x" * 32).decode()},
        {"webhook-signature": "v2,AAAA"},
        {"webhook-id": "msg_2"},
        {"webhook-id": ""},
        {"webhook-timestamp": "0"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "٣"},
        {"webhook-timestamp": ""},
    ],
)
def test_what_is_not_signed_is_refused_alike(
    hook: Channel, secret: str, opened: Callable[..., Review], over: dict[str, str]
) -> None:
    review = opened()
    headers = {name: value.encode().decode("latin-1") for name, value in over.items()}
    answer = post(hook, decision(review), secret, over=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "approvals.signature_refused")
    assert not Arrival.objects.exists()


@pytest.mark.parametrize("seconds", [-330, 330])
def test_an_old_or_early_signature_is_refused(
    hook: Channel, secret: str, opened: Callable[..., Review], seconds: int
) -> None:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    assert post(hook, decision(opened()), secret, at=at).status_code == 401


def test_a_changed_byte_another_secret_and_another_channel_are_refused(
    hook: Channel, secret: str, opened: Callable[..., Review]
) -> None:
    review = opened()
    at = datetime.now(UTC)
    signed = Webhook(secret).sign("msg_1", at, json.dumps(decision(review)))
    changed = decision(review, comment="!")
    assert post(hook, changed, secret, at=at, over={"webhook-signature": signed}).status_code == 401
    assert post(hook, decision(review), new_signing_secret()).status_code == 401
    other = make_channel(address="http://127.0.0.1:9/", decides_up_to="money")
    assert post(other, decision(review), secret).status_code == 401
    sealed_door(other, new_signing_secret())
    assert post(other, decision(review), secret).status_code == 401
    nobody = Channel(public_id="chn_nobody")
    assert post(nobody, decision(review), secret).status_code == 401


def test_the_secret_we_send_with_signs_no_answer(cast: Cast, opened: Callable[..., Review]) -> None:
    outgoing = new_signing_secret()
    channel = make_channel(secret=outgoing, address="http://127.0.0.1:9/", decides_up_to="money")
    sealed_door(channel, new_signing_secret())
    assert post(channel, decision(opened()), outgoing).status_code == 401


@pytest.mark.parametrize(
    ("over", "status", "code"),
    [
        ({"decided_by": "alice@acme.test"}, 403, "registry.role_missing"),
        ({"decided_by": "bob@acme.test"}, 404, "approvals.review_not_found"),
        ({"decided_by": "nobody@acme.test"}, 403, "approvals.decider_unknown"),
        ({"args_sha256": "sha256:00"}, 409, "approvals.review_changed"),
        ({"decisions": [{"type": "edit"}]}, 422, "approvals.decision_unknown"),
        ({"decisions": [{"type": "reject"}]}, 422, "approvals.comment_missing"),
        ({"decisions": []}, 422, "approvals.request_unreadable"),
        ({"decisions": [{}, {}]}, 422, "approvals.request_unreadable"),
        ({"id": "rev_nothing"}, 404, "approvals.review_not_found"),
        ({"id": 7}, 422, "approvals.request_unreadable"),
        ({"comment": "\x00"}, 422, "approvals.request_unreadable"),
    ],
)
def test_what_a_person_may_not_decide_they_may_not_decide_here(
    hook: Channel,
    secret: str,
    opened: Callable[..., Review],
    over: dict[str, Any],
    status: int,
    code: str,
) -> None:
    review = opened()
    answer = post(hook, decision(review, **over), secret)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    review.refresh_from_db()
    assert review.state == "open"
    assert not review.decisions.exists()
    assert post(hook, decision(review), secret).status_code == 200  # the id was not used up


@pytest.mark.parametrize(
    ("limit", "effect", "decides"),
    [("read", "write", False), ("money", "delete", False), ("money", "money", True),
     ("delete", "unheard-of", True), ("money", "unheard-of", False)],
)  # fmt: skip
def test_nothing_is_decided_above_the_limit(
    cast: Cast,
    secret: str,
    opened: Callable[..., Review],
    limit: str,
    effect: str,
    decides: bool,
) -> None:
    channel = make_channel(address="http://127.0.0.1:9/", decides_up_to=limit)
    sealed_door(channel, secret)
    answer = post(channel, decision(opened(evidence={"effect": effect})), secret)
    assert (answer.status_code == 200) is decides


def test_what_is_no_action_needs_a_channel_without_limit(
    cast: Cast, secret: str, opened: Callable[..., Review]
) -> None:
    review = opened(kind="other", evidence={"effect": "read"})
    for limit, status in (("delete", 403), ("any", 200)):
        channel = make_channel(address="http://127.0.0.1:9/", decides_up_to=limit)
        sealed_door(channel, secret)
        assert post(channel, decision(review), secret).status_code == status


def test_who_keeps_the_secret_has_nothing_of_theirs_decided(
    cast: Cast, secret: str, opened: Callable[..., Review]
) -> None:
    channel = make_channel(address="http://127.0.0.1:9/", decides_up_to="money")
    sealed_door(channel, secret, by=str(cast.alice.ref))
    answer = post(channel, decision(opened()), secret)
    assert (answer.status_code, answer.json()["code"]) == (403, "approvals.channel_decides_nothing")


def test_one_secret_gives_one_answer_whomever_it_names(
    cast: Cast, hook: Channel, secret: str, opened: Callable[..., Review]
) -> None:
    review = opened(quorum=2)
    assert post(hook, decision(review), secret).status_code == 200
    sue = cast.sue
    second = post(hook, decision(review, decided_by=sue.email), secret, ident="msg_2")
    assert (second.status_code, second.json()["code"]) == (409, "approvals.secret_spoke")
    review.refresh_from_db()
    assert review.state == "open"
    # She answers herself, and it is decided.
    assert decide_review(review.public_id, actor=actor(sue), decision="approve").state == "approved"


def test_no_account_and_no_earlier_secret_of_a_party_decides(
    cast: Cast, secret: str, opened: Callable[..., Review]
) -> None:
    other = make_channel(address="http://127.0.0.1:9/", decides_up_to="money")
    sealed_door(other, secret, by=str(make_person("alice+desk", "platform").ref))
    assert post(other, decision(opened()), secret).status_code == 403
    # Her secret counts for a day after somebody else renewed it.
    channel = make_channel(address="http://127.0.0.1:9/", decides_up_to="money")
    seal_secret(channel.door, secret, ring=INBOUND, actor=cast.alice.ref)
    sealed_door(channel, new_signing_secret(), by=str(cast.pat.ref))
    assert post(channel, decision(opened()), secret).status_code == 403


@pytest.mark.parametrize("change", [{"decides_up_to": ""}, {"paused_at": datetime.now(UTC)},
                                    {"removed_at": datetime.now(UTC)}])  # fmt: skip
def test_a_channel_that_was_switched_off_takes_nothing(
    hook: Channel, secret: str, opened: Callable[..., Review], change: dict[str, Any]
) -> None:
    Channel.objects.filter(pk=hook.pk).update(**change)
    assert post(hook, decision(opened()), secret).status_code == 401


def test_our_signature_is_the_standard_one() -> None:
    text = new_signing_secret()
    at = int(time.time())
    ours = sign([SecretText(text), SecretText(new_signing_secret())], "msg_9", at, b"{}")
    headers = {"webhook-id": "msg_9", "webhook-timestamp": str(at), "webhook-signature": ours}
    assert Webhook(text).verify(b"{}", headers) == {}


def test_nobody_approves_what_they_asked_themselves(
    hook: Channel, secret: str, cast: Cast, opened: Callable[..., Review]
) -> None:
    answer = post(hook, decision(opened(requester=cast.sam)), secret)
    assert (answer.status_code, answer.json()["code"]) == (403, "approvals.own_matter")


# --- Slack


@pytest.fixture
def slack(cast: Cast, receiver: Receiver) -> Channel:
    channel = make_channel(
        kind="slack", secret="xoxb-1234567890-abc", place="C0123456789", decides_up_to="money",
        address=f"http://127.0.0.1:{receiver.port}/api",
    )  # fmt: skip
    sealed_door(channel, SLACK_SECRET)
    knows(receiver, "sam@acme.test")
    return channel


def knows(receiver: Receiver, email: str, **over: Any) -> None:
    """Let Slack know a member by this address."""
    user = {"id": "U1", "team_id": "T1", "is_email_confirmed": True, "profile": {"email": email}}
    receiver.answers["users.info"] = json.dumps({"ok": True, "user": user | over}).encode()


def pressed(review: Review, receiver: Receiver, decision: str = "approve", **over: Any) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "sam", "team_id": "T1"},
        "team": {"id": "T1"},
        "channel": {"id": "C0123456789"},
        "trigger_id": "13345224609.738474920.8088930838d88f008e0",
        "response_url": f"http://127.0.0.1:{receiver.port}/actions/T1/1/abc",
        "actions": [{"action_id": decision, "value": str(Button.of(decision, review))}],
    } | over
    return urlencode({"payload": json.dumps(payload)}).encode()


def press(channel: Channel, body: bytes, at: int = 0, over: dict[str, str] | None = None) -> Any:
    stamp = str(at or int(time.time()))
    signature = SignatureVerifier(SLACK_SECRET).generate_signature(timestamp=stamp, body=body) or ""
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    headers |= over or {}
    return Client(enforce_csrf_checks=True).generic(
        "POST",
        f"/api/v1/channels/{channel.public_id}/slack",
        body,
        content_type="application/x-www-form-urlencoded",
        headers=headers,
    )


def replies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(each.body) for each in receiver.requests if "/actions/" in each.path]


def test_a_button_decides_in_the_name_of_whom_slack_vouches_for(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    review = opened()
    assert press(slack, pressed(review, receiver)).status_code == 200
    assert settle_arrivals(actor=WORKER) == 1
    review.refresh_from_db()
    assert review.state == "approved"
    assert review.decisions.get().decider.email == "sam@acme.test"
    (said,) = replies(receiver)
    assert said["replace_original"] is True
    arrival = Arrival.objects.get()
    assert (arrival.state, arrival.asked) == ("done", {})


def test_a_rejection_carries_the_comment_of_its_field(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    review = opened()
    press(slack, pressed(review, receiver, "reject", trigger_id="1"))
    settle_arrivals(actor=WORKER)
    assert replies(receiver)[-1]["replace_original"] is False
    state = {"values": {"comment": {"said": {"value": "Wrong IBAN"}}}}
    press(slack, pressed(review, receiver, "reject", trigger_id="2", state=state))
    settle_arrivals(actor=WORKER)
    assert review.decisions.get().comment == "Wrong IBAN"


def test_slack_is_checked_as_its_own_library_does(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    body = pressed(opened(), receiver)
    now = int(time.time())
    for secret, at, given in (
        (SLACK_SECRET, now, ""),
        ("other", now, ""),
        (SLACK_SECRET, now - 301, ""),
        (SLACK_SECRET, now, "v0=00"),
    ):
        verifier = SignatureVerifier(secret)
        signature = given or verifier.generate_signature(timestamp=str(at), body=body) or ""
        theirs = SignatureVerifier(SLACK_SECRET).is_valid(body, str(at), signature)
        ours = is_signed_by_slack([SecretText(SLACK_SECRET)], str(at), body, signature, now=now)
        assert ours is theirs
        taken = press(slack, body, at=at, over={"x-slack-signature": signature})
        assert (taken.status_code == 200) is theirs


def test_a_signature_is_good_once(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    body = pressed(opened(), receiver)
    assert press(slack, body).status_code == 200
    again = press(slack, body)
    assert (again.status_code, again.json()["code"]) == (409, "approvals.arrival_repeated")
    later = press(slack, body, at=int(time.time()) + 5)  # signed anew, the same trigger
    assert later.status_code == 409


@pytest.mark.parametrize("change", ["body", "time", "none", "missing"])
def test_a_forged_interaction_is_refused(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review], change: str
) -> None:
    body, stamp = pressed(opened(), receiver), str(int(time.time()))
    signature = "v0=" + hmac.new(
        SLACK_SECRET.encode(), f"v0:{stamp}:".encode() + body, hashlib.sha256
    ).hexdigest()  # fmt: skip
    headers = {"x-slack-request-timestamp": stamp, "x-slack-signature": signature}
    if change == "body":
        body += b"&x=1"
    elif change == "time":
        headers["x-slack-request-timestamp"] = str(int(stamp) + 1)
    elif change == "none":
        headers["x-slack-signature"] = "v0="
    else:
        headers = {}
    answer = Client(enforce_csrf_checks=True).generic(
        "POST", f"/api/v1/channels/{slack.public_id}/slack", body,
        content_type="application/x-www-form-urlencoded", headers=headers,
    )  # fmt: skip
    assert answer.status_code == 401
    assert not Arrival.objects.exists()


@pytest.mark.parametrize(
    ("email", "over", "code"),
    [
        ("alice@acme.test", {}, "registry.role_missing"),
        ("bob@acme.test", {}, "approvals.review_not_found"),
        ("nobody@acme.test", {}, "approvals.decider_unknown"),
        ("sam@acme.test", {"is_bot": True}, "approvals.decider_unknown"),
        ("sam@acme.test", {"is_stranger": True}, "approvals.decider_unknown"),
        ("sam@acme.test", {"is_restricted": True}, "approvals.decider_unknown"),
        ("sam@acme.test", {"deleted": True}, "approvals.decider_unknown"),
        ("sam@acme.test", {"is_email_confirmed": False}, "approvals.decider_unknown"),
        ("sam@acme.test", {"team_id": "T2"}, "approvals.decider_unknown"),
        ("sam@acme.test", {"id": "U2"}, "approvals.decider_unknown"),
    ],
)
def test_whom_slack_does_not_vouch_for_decides_nothing(
    slack: Channel,
    receiver: Receiver,
    opened: Callable[..., Review],
    email: str,
    over: dict[str, Any],
    code: str,
) -> None:
    knows(receiver, email, **over)
    review = opened()
    press(slack, pressed(review, receiver))
    assert settle_arrivals(actor=WORKER) == 0
    review.refresh_from_db()
    assert review.state == "open"
    assert Arrival.objects.get().answer == {"code": code}
    assert replies(receiver)[-1]["replace_original"] is False


def test_nobody_approves_in_slack_what_they_asked_themselves(
    slack: Channel, receiver: Receiver, cast: Cast, opened: Callable[..., Review]
) -> None:
    press(slack, pressed(opened(requester=cast.sam), receiver))
    settle_arrivals(actor=WORKER)
    assert Arrival.objects.get().answer == {"code": "approvals.own_matter"}


def test_a_button_of_what_has_changed_since_decides_nothing(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    review = opened()
    old = Review(public_id=review.public_id, digest=digest("something else"))
    press(slack, pressed(old, receiver))
    settle_arrivals(actor=WORKER)
    assert not review.decisions.exists()
    assert Arrival.objects.get().answer == {"code": "approvals.review_changed"}


def test_nothing_above_the_limit_is_decided_by_a_button(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    review = opened(evidence={"effect": "delete"})
    press(slack, pressed(review, receiver))
    settle_arrivals(actor=WORKER)
    assert not review.decisions.exists()


def test_a_reply_goes_to_slack_and_to_nobody_else(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    from tests.approvals.channels.receivers import receiving

    with receiving() as elsewhere:
        for number, url in enumerate(
            (elsewhere.address, "https://hooks.slack.com.evil.test/x", "http://[", "file:///x")
        ):
            body = pressed(opened(), receiver, response_url=url, trigger_id=str(number))
            assert press(slack, body).status_code == 200
        assert settle_arrivals(actor=WORKER) == 4
        assert elsewhere.requests == []


def test_slack_that_does_not_answer_is_asked_again(
    slack: Channel, receiver: Receiver, opened: Callable[..., Review]
) -> None:
    from kernel import clock

    receiver.answers["users.info"] = b'{"ok": false, "error": "ratelimited"}'
    review = opened()
    press(slack, pressed(review, receiver))
    assert settle_arrivals(actor=WORKER) == 0
    assert Arrival.objects.get().state == "waiting"
    knows(receiver, "sam@acme.test")
    with clock.held_at(clock.now() + timedelta(seconds=10)):
        assert settle_arrivals(actor=WORKER) == 1


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=%7B%7D", b"payload=[]", b"x=1",
                                  b"payload=" + b"[" * 5000, b"%ff=1"])  # fmt: skip
def test_a_signed_request_that_is_no_interaction_asks_nothing(slack: Channel, body: bytes) -> None:
    assert press(slack, body).status_code in {200, 422}
    assert not Arrival.objects.exists()


def test_a_body_without_end_is_not_read(hook: Channel, secret: str) -> None:
    assert post(hook, b" " * 70_000, secret).status_code == 422
