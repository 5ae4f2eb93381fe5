"""Signed requests from outside: verified over their raw bytes, taken once, never twice.

A webhook names its person itself, so it is decided on the spot. Slack names an account of its
own: the request is verified and kept, and the worker, which may ask Slack, finds the person.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from django.db import transaction

from approvals.actions.answering import Answer, answer_review, check_limit
from approvals.channels.buttons import Button
from approvals.channels.errors import (
    ArrivalRepeated,
    DeciderUnknown,
    RequestUnreadable,
    SignatureRefused,
)
from approvals.channels.reading import live_channel
from approvals.channels.secrets import inbound_secrets
from approvals.channels.signatures import is_signed, is_signed_by_slack
from approvals.models import Arrival, Channel
from credentials.errors import SecretNotFound
from kernel import clock
from kernel.canonical import strict_loads
from kernel.db import refused_as, ring
from kernel.errors import DomainError
from kernel.refs import new_id
from registry.actors import Actor
from registry.models import Person

SWEEP: Final = "approvals.settle_arrivals"
LONGEST_BODY: Final = 64 * 1024
_LONGEST_COMMENT: Final = 4000


def take_decision(channel_id: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    """Decide by a signed webhook; the same request again gets the same answer.

    Records: answer.taken, and what deciding records. Raises: SignatureRefused,
    RequestUnreadable, ArrivalRepeated, DeciderUnknown, ChannelDecidesNothing, and what
    deciding raises.
    """
    channel = _verified_webhook(channel_id, body, headers)
    key = headers.get("webhook-id", "")
    asked = _asked(body)
    earlier = Arrival.objects.filter(channel=channel, key=key).first()
    if earlier is None:
        try:
            return _decide_once(channel, key, body, asked)
        except ArrivalRepeated:
            earlier = Arrival.objects.get(channel=channel, key=key)
    if earlier.body_sha256 != _sha256(body):
        raise ArrivalRepeated("This webhook-id came before, with another body.")
    return dict(earlier.answer)


def take_interaction(channel_id: str, body: bytes, headers: Mapping[str, str]) -> Arrival | None:
    """Keep a button that was pressed in Slack, for the worker; None when it asks nothing of us.

    Records: nothing; deciding does. Raises: SignatureRefused, RequestUnreadable,
    ArrivalRepeated.
    """
    channel = live_channel(channel_id, Channel.Kind.SLACK)
    at, given = (headers.get(f"x-slack-{name}", "") for name in ("request-timestamp", "signature"))
    if channel is None or not _is_slack(channel, at, body, given):
        raise SignatureRefused
    said = _interaction(body)
    if said is None:
        return None
    pressed, asked = said
    now = clock.now()
    again = ArrivalRepeated("This button was pressed, and taken, already.")
    with transaction.atomic(), refused_as({"approvals_arrival_once": again}):
        arrival = Arrival.objects.create(
            public_id=new_id("arr"),
            channel=channel,
            key=asked.pop("trigger"),
            body_sha256=_sha256(body),
            review_id=pressed.review,
            asked=asked | {"decision": pressed.decision, "digest": pressed.digest},
            again_at=now,
            arrived_at=now,
        )
        ring(SWEEP)
    return arrival


def _verified_webhook(channel_id: str, body: bytes, headers: Mapping[str, str]) -> Channel:
    channel = live_channel(channel_id, Channel.Kind.WEBHOOK)
    # Which of these it was is nobody's business who cannot sign.
    if channel is None or not channel.decides_up_to:
        raise SignatureRefused
    ident, at, given = (
        headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature")
    )
    try:
        keys = inbound_secrets(channel)
    except SecretNotFound:
        raise SignatureRefused from None
    if not is_signed(keys, ident, at, body, given, now=time.time()):
        raise SignatureRefused
    return channel


def _is_slack(channel: Channel, at: str, body: bytes, given: str) -> bool:
    try:
        keys = inbound_secrets(channel)
    except SecretNotFound:
        return False
    return is_signed_by_slack(keys, at, body, given, now=time.time())


def _decide_once(channel: Channel, key: str, body: bytes, asked: dict[str, str]) -> dict[str, Any]:
    now = clock.now()
    with transaction.atomic():
        with refused_as({"approvals_arrival_once": ArrivalRepeated()}):
            arrival = Arrival.objects.create(
                public_id=new_id("arr"),
                channel=channel,
                key=key,
                body_sha256=_sha256(body),
                review_id=asked["review"],
                state=Arrival.State.DONE,
                again_at=now,
                arrived_at=now,
                ended_at=now,
            )
        check_limit(channel, asked["review"])
        person = Person.objects.filter(email__iexact=asked["decided_by"]).first()
        if person is None or not person.is_active:
            raise DeciderUnknown("decided_by is the e-mail address of somebody with an account.")
        answer = Answer(
            asked["review"],
            asked["digest"],
            asked["decision"],
            asked["comment"],
            "webhook",
            channel,
        )
        review = answer_review(answer, actor=Actor.of(person))
        arrival.person = person
        arrival.answer = {
            "id": review.public_id,
            "state": review.state,
            "decision": asked["decision"],
            "decided_by": person.email,
        }
        arrival.save(update_fields=["person", "answer"])
    return dict(arrival.answer)


def _asked(body: bytes) -> dict[str, str]:
    """Read a decision. Raises: RequestUnreadable."""
    try:
        said = strict_loads(body)
    except DomainError:
        raise RequestUnreadable("The body is not JSON.") from None
    if not isinstance(said, dict):
        raise RequestUnreadable("The body is not an object.")
    decisions = said.get("decisions")
    if not (isinstance(decisions, list) and len(decisions) == 1 and isinstance(decisions[0], dict)):
        raise RequestUnreadable("decisions holds one decision.", field="decisions")
    found = {
        "review": said.get("id"),
        "digest": said.get("args_sha256"),
        "decided_by": said.get("decided_by"),
        "decision": decisions[0].get("type"),
        "comment": said.get("comment", decisions[0].get("message", "")),
    }
    for name, value in found.items():
        if not isinstance(value, str) or "\x00" in value or len(value) > _LONGEST_COMMENT:
            raise RequestUnreadable(f"{_NAMES.get(name, name)} is a text.", field=name)
    return {name: str(value) for name, value in found.items()}


_NAMES: Final = {"review": "id", "digest": "args_sha256", "decision": "decisions[0].type"}


def _interaction(body: bytes) -> tuple[Button, dict[str, Any]] | None:
    """Read what was pressed. Raises: RequestUnreadable."""
    try:
        fields = parse_qs(body.decode(), strict_parsing=True, max_num_fields=20)
        payload = json.loads(fields["payload"][0])
        if payload.get("type") != "block_actions":
            return None
        pressed = payload["actions"][0]
        button = Button.read(str(pressed.get("value", "")))
        if button is None:  # "Open" is a link, and Slack tells of it all the same
            return None
        state = payload.get("state") or {}
        said = state.get("values", {}).get("comment", {}).get("said", {}).get("value") or ""
        asked = {
            "trigger": str(payload["trigger_id"])[:200],
            "user": str(payload["user"]["id"])[:40],
            "workspace": str((payload.get("team") or {}).get("id", ""))[:40],
            "response_url": str(payload.get("response_url", ""))[:500],
            "comment": str(said)[:_LONGEST_COMMENT],
        }
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError):
        raise RequestUnreadable("This is no interaction as Slack sends them.") from None
    if "\x00" in "".join(asked.values()):
        raise RequestUnreadable("This is no interaction as Slack sends them.")
    return button, asked


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
