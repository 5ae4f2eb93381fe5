"""Setting channels up: who may, what is refused, and what is never shown again."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from standardwebhooks import Webhook

from approvals.channels.signatures import new_signing_secret
from approvals.models import Channel, Notice
from kernel import clock
from ledger.models import Entry
from tests.approvals.channels.receivers import Receiver, make_channel
from tests.approvals.channels.test_sending import sweep
from tests.factories import Cast, browser_of, client_of

HOOK = {"name": "ours", "kind": "webhook", "address": "https://hooks.acme.example/in"}
SLACK = {
    "name": "chat", "kind": "slack", "secret": "xoxb-1234567890-abcdef", "place": "C0123456789",
}  # fmt: skip


def test_a_secret_of_ours_is_shown_once(cast: Cast) -> None:
    client = client_of(cast.sam)
    answer = client.post("/api/v1/channels", HOOK | {"decides_up_to": "write"})
    assert answer.status_code == 201
    made = answer.json()
    assert made["secret"].startswith("whsec_")
    assert made["answers_secret"].startswith("whsec_")
    assert made["secret"] != made["answers_secret"]
    assert answer["Cache-Control"] == "no-store"
    shown = client.get(f"/api/v1/channels/{made['id']}").content.decode()
    assert "whsec_" not in shown
    assert Entry.objects.filter(verb="channel.added").count() == 1
    assert "whsec_" not in str(list(Entry.objects.values_list("header", flat=True)))


def test_only_security_and_platform_set_channels_and_auditors_look(cast: Cast) -> None:
    assert client_of(cast.alice).get("/api/v1/channels").status_code == 403
    assert client_of(cast.alice).post("/api/v1/channels", HOOK).status_code == 403
    assert client_of(cast.ann).get("/api/v1/channels").status_code == 200
    assert client_of(cast.ann).post("/api/v1/channels", HOOK).status_code == 403


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"address": "http://hooks.acme.example/"}, "credentials.address_refused"),
        ({"address": "https://127.0.0.1/"}, "credentials.address_refused"),
        ({"address": "https://169.254.169.254/latest"}, "credentials.address_refused"),
        ({"address": "https://user@hooks.acme.example/"}, "credentials.address_refused"),
        ({"address": "https://hooks.acme.example:8443/"}, "credentials.address_refused"),
        ({"address": "file:///etc/passwd"}, "credentials.address_refused"),
        ({"address": ""}, "credentials.address_refused"),
        ({"name": "Not a name"}, "approvals.channel_not_usable"),
        ({"kinds": ["wishes"]}, "approvals.channel_not_usable"),
        ({"events": ["guessed"]}, "approvals.channel_not_usable"),
        ({"audience": ["everybody"]}, "approvals.channel_not_usable"),
        ({"kind": "mail"}, "approvals.channel_not_usable"),
        (SLACK | {"secret": "hunter2"}, "approvals.channel_not_usable"),
        (SLACK | {"address": "https://slack.evil.test/api"}, "approvals.channel_not_usable"),
        (SLACK | {"address": "", "place": "general"}, "approvals.channel_not_usable"),
        (SLACK | {"address": "", "decides_up_to": "read"}, "approvals.channel_not_usable"),
        ({"decides_up_to": "money"}, "approvals.channel_not_usable"),
        ({"decides_up_to": "any"}, "approvals.channel_not_usable"),
        ({"kind": "slack_hook", "secret": "https://evil.test/x"}, "approvals.channel_not_usable"),
        ({"kind": "teams", "secret": "http://10.0.0.1/"}, "credentials.address_refused"),
        (
            {"kind": "teams", "secret": "https://x.logic.azure.com/", "decides_up_to": "read"},
            "approvals.channel_not_usable",
        ),
    ],
)
def test_what_cannot_be_set_up_says_why(cast: Cast, over: dict[str, Any], code: str) -> None:
    answer = client_of(cast.sam).post("/api/v1/channels", HOOK | over)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert not Channel.objects.exists()


def test_a_url_that_is_a_secret_is_sealed_and_only_its_host_kept(cast: Cast) -> None:
    url = "https://prod-1.logic.azure.com/workflows/abc?sig=very-secret"
    wanted = {"name": "teams", "kind": "teams", "secret": url}
    answer = client_of(cast.sam).post("/api/v1/channels", wanted)
    assert answer.status_code == 201
    assert answer.json()["address"] == "prod-1.logic.azure.com"
    assert "very-secret" not in answer.content.decode()


def test_a_platform_admin_may_set_up_what_lies_inside(cast: Cast, receiver: Receiver) -> None:
    answer = client_of(cast.pat).post("/api/v1/channels", HOOK | {"address": receiver.address})
    assert answer.status_code == 201
    path = f"/api/v1/channels/{answer.json()['id']}"
    # Whoever moves it answers for where it goes.
    moved = client_of(cast.sam).put(path, HOOK | {"address": "http://127.0.0.1:9/"})
    assert moved.status_code == 422
    assert client_of(cast.sam).put(path, HOOK | {"address": ""}).status_code == 200


def test_a_token_is_for_the_address_it_was_given_for(cast: Cast) -> None:
    client, elsewhere = client_of(cast.pat), {"address": "https://slack.evil.test/api"}
    slack = SLACK | {"address": "", "signing_secret": "8f742231b10e8888abcd99yyyzzz85a5"}
    path = f"/api/v1/channels/{client.post('/api/v1/channels', slack).json()['id']}"
    for kept in ({"secret": ""}, {"signing_secret": ""}):
        refused = client.put(path, slack | elsewhere | kept)
        assert (refused.status_code, refused.json()["code"]) == (
            422, "approvals.channel_not_usable",
        )  # fmt: skip
    assert client.put(path, slack | {"secret": "", "signing_secret": ""}).status_code == 200
    assert client.put(path, slack | elsewhere).status_code == 200


def test_two_secrets_sign_for_a_day_and_rotating_twice_ends_the_first(
    cast: Cast, receiver: Receiver
) -> None:
    client = client_of(cast.pat)
    made = client.post("/api/v1/channels", HOOK | {"address": receiver.address}).json()
    path = f"/api/v1/channels/{made['id']}"
    second = client.post(f"{path}/rotate").json()["secret"]
    assert client.post(f"{path}/test").status_code == 202
    sweep()
    ping = receiver.requests[-1]
    for text in (made["secret"], second):
        assert Webhook(text).verify(ping.body, ping.headers)["type"] == "channel.tested"
    client.post(f"{path}/rotate")
    client.post(f"{path}/test")
    sweep()
    ping = receiver.requests[-1]
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(made["secret"]).verify(ping.body, ping.headers)
    assert Webhook(second).verify(ping.body, ping.headers)


def test_what_was_given_up_can_be_found_and_sent_again(cast: Cast, receiver: Receiver) -> None:
    channel = make_channel(secret=new_signing_secret(), address=receiver.address)
    now = clock.now()
    notice = Notice.objects.create(
        public_id="ntc_1", channel=channel, event="tested", state="given_up", attempts=12,
        failure="It answered 500.", again_at=now, created_at=now, ended_at=now,
    )  # fmt: skip
    client = client_of(cast.sam)
    path = f"/api/v1/channels/{channel.public_id}/notices"
    assert client.get(f"{path}?state=sent").json()["results"] == []
    (found,) = client.get(f"{path}?state=given_up").json()["results"]
    assert client.post(f"{path}/{found['id']}/retry").status_code == 202
    assert sweep() == 1
    notice.refresh_from_db()
    assert notice.state == "sent"
    assert client.post(f"{path}/{found['id']}/retry").status_code == 422


def test_a_paused_channel_sends_nothing_and_goes_on_later(
    cast: Cast, receiver: Receiver, opened: Any
) -> None:
    channel = make_channel(secret=new_signing_secret(), address=receiver.address)
    client, path = client_of(cast.sam), f"/api/v1/channels/{channel.public_id}"
    assert client.post(f"{path}/pause", {"reason": "Holiday"}).json()["state"] == "paused"
    opened()
    assert sweep() == 0
    client.post(f"{path}/resume")
    assert sweep() == 1
    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404


def test_the_pages_set_up_try_and_end_a_channel(cast: Cast, receiver: Receiver) -> None:
    browser = browser_of(cast.pat)
    assert b"No channels yet" in browser.get(reverse("approvals:channels")).content
    new = reverse("approvals:channel-new")
    assert browser.get(new).status_code == 200
    given = HOOK | {"carries": "title", "address": receiver.address, "agents": "a, b c"}
    assert browser.post(new, given | {"address": "nowhere"}).status_code == 422
    shown = browser.post(new, given)
    assert b"whsec_" in shown.content
    channel = Channel.objects.get()
    assert channel.agents == ["a", "b", "c"]
    page = reverse("approvals:channel", args=[channel.public_id])
    assert b"whsec_" not in browser.get(page).content
    browser.post(reverse("approvals:channel-test", args=[channel.public_id]))
    sweep()
    assert b"Tested" in browser.get(page + "?state=sent").content
    assert b"Nothing like that" in browser.get(page + "?state=given_up").content
    edit = reverse("approvals:channel-edit", args=[channel.public_id])
    assert b"a, b, c" in browser.get(edit).content
    changed = {"carries": "full", "address": receiver.address, "decides_up_to": "read"}
    assert b"whsec_" in browser.post(edit, changed).content
    browser.post(reverse("approvals:channel-rotate", args=[channel.public_id]), {"answers": "yes"})
    for step in ("pause", "resume", "remove"):
        browser.post(reverse(f"approvals:channel-{step}", args=[channel.public_id]))
    assert browser.get(page).status_code == 404
    assert browser_of(cast.alice).get(reverse("approvals:channels")).status_code == 403
