"""Signed webhooks: a document about a review, under Standard Webhooks' three headers.

``webhook-id`` is the notice's own id and stays the same over every attempt, so a receiver that
keeps it handles a repeat once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings

from approvals.channels.content import Content, content_of
from approvals.channels.effects import may_be_decided
from approvals.channels.secrets import sending_secrets
from approvals.channels.sending import Send, post_json
from approvals.channels.signatures import sign
from approvals.models import Channel, Notice
from kernel.clock import stamp

TYPES: Final = {
    Notice.Event.OPENED: "approval.requested",
    Notice.Event.ESCALATED: "approval.escalated",
    Notice.Event.REMINDED: "approval.reminded",
    Notice.Event.SETTLED: "approval.settled",
    Notice.Event.TESTED: "channel.tested",
}


def prepare(notices: list[Notice]) -> Send:
    """Make the message of a notice. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    notice = notices[0]
    return post(notice.channel, notice.public_id, document(notice))


def post(channel: Channel, ident: str, body: Mapping[str, Any]) -> Send:
    """Make a document ready to be sent, signed anew at every attempt under one id.

    Raises: SecretsClosed, SecretNotFound, CannotOpen.
    """
    keys = sending_secrets(channel)

    def headers(sent: bytes) -> Mapping[str, str]:
        at = int(time.time())
        return {
            "webhook-id": ident,
            "webhook-timestamp": str(at),
            "webhook-signature": sign(keys, ident, at, sent),
        }

    address, private = channel.address, channel.allow_private
    return lambda: post_json(address, body, allow_private=private, headers=headers)


def document(notice: Notice) -> dict[str, Any]:
    """Return what a receiver is sent of a notice."""
    head: dict[str, Any] = {
        "type": TYPES[Notice.Event(notice.event)],
        "timestamp": stamp(notice.created_at),
    }
    if notice.review is None:
        return head | {"channel": notice.channel.public_id}
    review, channel = notice.review, notice.channel
    content = content_of(review, channel.carries)
    return head | {
        "id": review.public_id,
        "kind": review.kind,
        "state": _STATES[review.state],
        "title": content.title,
        "created_at": stamp(review.created_at),
        "expires_at": stamp(review.expires_at),
        "agent": _agent(content),
        "requested_by": {"on_behalf_of": review.requester.email} if content.facts else None,
        "action_requests": _requests(content),
        "review_configs": _configs(content, channel.decides_up_to),
        "policy": {"quorum": review.quorum, "four_eyes": True},
        "callback_url": f"{settings.PUBLIC_URL}/api/v1/channels/{channel.public_id}/decisions"
        if may_be_decided(content.effect, channel.decides_up_to)
        else None,
        "review_url": content.url,
    }


_STATES: Final = {
    "open": "pending",
    "approved": "approved",
    "rejected": "rejected",
    "expired": "expired",
    "withdrawn": "cancelled",
}


def _agent(content: Content) -> dict[str, Any] | None:
    agent = content.agent
    if agent is None:
        return None
    said = {"id": agent.public_id, "name": agent.name}
    return said | {"owner": agent.owner.email} if content.facts else said


def _requests(content: Content) -> list[dict[str, Any]]:
    review = content.review
    asked: dict[str, Any] = {
        "name": review.operation or review.kind,
        # Of the whole canonical action, arguments included: an answer names it.
        "args_sha256": review.asked_digest,
        "effect": content.effect or None,
    }
    if content.arguments is not None:
        asked["args"] = dict(content.arguments)
    return [asked]


def _configs(content: Content, limit: str) -> list[dict[str, Any]]:
    name = content.review.operation or content.review.kind
    allowed = ["approve", "reject"] if may_be_decided(content.effect, limit) else []
    return [{"action_name": name, "allowed_decisions": allowed}]
