"""Messages in Microsoft Teams: an adaptive card whose one button leads here.

A Workflows webhook cannot answer, so nothing is decided in Teams. What others wrote stands in
text runs, which have no markup; a text block would read it as Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from approvals.channels import plain
from approvals.channels.content import content_of
from approvals.channels.secrets import sending_secrets
from approvals.channels.sending import Send, post_json
from approvals.models import Channel, Notice


def prepare(notices: list[Notice]) -> Send:
    """Make the message of a notice. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    notice = notices[0]
    return post(notice.channel, message(notice))


def post(channel: Channel, body: Mapping[str, Any]) -> Send:
    """Make a card ready to be sent. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    secret, private = sending_secrets(channel)[0], channel.allow_private
    return lambda: post_json(secret.reveal(), body, allow_private=private)


def told(title: str, lines: Sequence[str], url: str) -> dict[str, Any]:
    """Return the card of what is told without a question."""
    body = [_run(title, strong=True), *(_run(line) for line in lines)]
    return _envelope(body, [{"type": "Action.OpenUrl", "title": "Open", "url": url}])


def message(notice: Notice) -> dict[str, Any]:
    """Return the card of a notice in the envelope that Workflows take."""
    review = notice.review
    if review is None:
        return _envelope([_run("This channel works. Nothing is asked here.")], [])
    content = content_of(review, notice.channel.carries)
    if notice.event == Notice.Event.SETTLED:
        return _envelope([_run(content.title, strong=True), _run(f"It is {review.state}.")], [])
    body = [_run(content.title, strong=True)]
    body += [_run(f"{name}: {value}") for name, value in content.facts]
    if content.arguments is not None:
        text = plain.lines(content.arguments)
        body.append(_run(text[:10_000], mono=True))
        if len(text) > 10_000:
            body.append(_run("There is more than a message holds: open it."))
    body.append(_run(f"Ends {content.ends}"))
    return _envelope(body, [{"type": "Action.OpenUrl", "title": "Review", "url": content.url}])


def _run(text: str, *, strong: bool = False, mono: bool = False) -> dict[str, Any]:
    run: dict[str, Any] = {"type": "TextRun", "text": text}
    if strong:
        run |= {"weight": "Bolder", "size": "Medium"}
    if mono:
        run["fontType"] = "Monospace"
    return {"type": "RichTextBlock", "inlines": [run]}


def _envelope(body: list[dict[str, Any]], actions: list[dict[str, Any]]) -> dict[str, Any]:
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": body,
        "actions": actions,
    }
    attachment = {
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": None,
        "content": card,
    }
    return {"type": "message", "attachments": [attachment]}
