"""Messages in Slack: Block Kit in which nothing that others wrote is ever markup.

Every such text is a ``plain_text`` object, which Slack does not parse: no bold, no link, no
mention. Slack parses the fallback text of a message alone; there the three characters that
begin markup are escaped. A message too long to hold the whole action offers no approval.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from approvals.channels import plain
from approvals.channels.buttons import Button
from approvals.channels.content import Content, content_of
from approvals.channels.effects import may_be_decided
from approvals.channels.secrets import sending_secrets
from approvals.channels.sending import Outcome, Send, post_json
from approvals.models import Channel, Notice
from credentials.egress import Answer
from kernel.errors import DomainError

_BLOCK: Final = 2900  # a section takes 3000
_MOST_PIECES: Final = 8
_ERROR: Final = re.compile(r"[a-z_]{1,60}")
_HEADS: Final = {
    Notice.Event.OPENED: "A question waits for an answer",
    Notice.Event.ESCALATED: "A question waits, and goes further",
    Notice.Event.REMINDED: "A question still waits",
}


def prepare(notices: list[Notice]) -> Send:
    """Make the message of a notice. Raises: SecretsClosed, SecretNotFound, CannotOpen."""
    notice = notices[0]
    return post(notice.channel, message(notice), _message_of(notice))


def post(channel: Channel, said: Mapping[str, Any], place: Mapping[str, str]) -> Send:
    """Make a message ready: new, in a thread (``thread_ts``), or in the place of one (``ts``).

    Raises: SecretsClosed, SecretNotFound, CannotOpen.
    """
    secret, private = sending_secrets(channel)[0], channel.allow_private
    if channel.kind == Channel.Kind.SLACK_HOOK:
        return lambda: post_json(secret.reveal(), said, allow_private=private)
    method = "chat.update" if "ts" in place else "chat.postMessage"
    body = {"channel": channel.place, **said, **place}
    address = f"{channel.address}/{method}"

    def headers(_: bytes) -> Mapping[str, str]:
        return {
            "Authorization": f"Bearer {secret.reveal()}",
            "Content-Type": "application/json; charset=utf-8",
        }

    return lambda: post_json(address, body, allow_private=private, headers=headers, read=taken)


def taken(answer: Answer) -> Outcome:
    """Read Slack's answer: it says no with a success, too."""
    try:
        said = answer.json()
    except DomainError:
        said = None
    if not isinstance(said, dict):
        return Outcome(is_sent=False, failure="It did not answer as Slack does.")
    if said.get("ok") is not True:
        word = str(said.get("error", ""))
        named = word if _ERROR.fullmatch(word) else "no"
        return Outcome(is_sent=False, failure=f"Slack says {named}.")
    place = {name: str(said.get(name, ""))[:40] for name in ("channel", "ts")}
    return Outcome(is_sent=True, place=place)


def message(notice: Notice) -> dict[str, Any]:
    """Return the text and the blocks of a notice."""
    if notice.review is None:
        return _said("This channel works", [_section("This channel works. Nothing is asked here.")])
    content = content_of(notice.review, notice.channel.carries)
    if notice.event == Notice.Event.SETTLED:
        return ended(content)
    return asked(content, _HEADS[Notice.Event(notice.event)], notice.channel)


def asked(content: Content, head: str, channel: Channel) -> dict[str, Any]:
    """Return a question, with buttons where the channel may decide it."""
    pieces = _pieces(content)
    # Where everything is carried, what is approved must be all here.
    is_full = channel.carries == Channel.Carries.FULL
    is_whole = len(pieces) <= _MOST_PIECES and (content.is_whole or not is_full)
    blocks = [
        {"type": "header", "text": _plain(head, 150)},
        _section(content.title),
        *_fields(content),
        *(_section(piece) for piece in pieces[:_MOST_PIECES]),
    ]
    if not is_whole:
        blocks.append(_section("There is more than a message holds: open it to decide."))
    decides = may_be_decided(content.effect, channel.decides_up_to)
    if decides:
        blocks.append(_comment())
    blocks.append({"type": "actions", "elements": _buttons(content, decides, is_whole)})
    blocks.append({"type": "context", "elements": [_plain(f"Ends {content.ends}")]})
    return _said(f"{head}: {content.title}", blocks)


def ended(content: Content) -> dict[str, Any]:
    """Return how a question ended; it takes the place of the question."""
    word = content.review.state
    return _said(f"{content.title}: {word}", [_section(content.title), _section(f"It is {word}.")])


def told(title: str, lines: Sequence[str], url: str) -> dict[str, Any]:
    """Return what is told without a question: a title, its lines, and the way to the page."""
    text = "\n".join(lines)
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(title, 150)}]
    blocks += [_section(text[at : at + _BLOCK]) for at in range(0, len(text), _BLOCK)]
    button = {"type": "button", "action_id": "open", "text": _plain("Open"), "url": url}
    blocks.append({"type": "actions", "elements": [button]})
    return _said(title, blocks)


def escaped(text: str) -> str:
    """Escape what begins markup in a text that Slack parses."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _said(text: str, blocks: list[dict[str, Any]]) -> dict[str, Any]:
    # No word becomes a link or a mention because it looks like one.
    quiet = {"link_names": False, "unfurl_links": False, "unfurl_media": False}
    return {"text": escaped(plain.line(text)), "blocks": blocks, "mrkdwn": False, **quiet}


def _message_of(notice: Notice) -> dict[str, str]:
    """The message that asked, when this one says how it ended."""
    if notice.event != Notice.Event.SETTLED:
        return {}
    asking = Notice.objects.filter(
        channel=notice.channel_id, review=notice.review_id, event=Notice.Event.OPENED
    ).first()
    place = asking.place if asking is not None else {}
    return {name: place[name] for name in ("channel", "ts")} if place.get("ts") else {}


def _pieces(content: Content) -> list[str]:
    if content.arguments is None:
        return []
    text = plain.lines(content.arguments)
    return [text[at : at + _BLOCK] for at in range(0, len(text), _BLOCK)]


def _fields(content: Content) -> list[dict[str, Any]]:
    said = [_plain(f"{name}\n{value}", 1900) for name, value in content.facts]
    return [{"type": "section", "fields": said[at : at + 10]} for at in range(0, len(said), 10)]


def _buttons(content: Content, decides: bool, is_whole: bool) -> list[dict[str, Any]]:  # noqa: FBT001
    review = content.review
    buttons = [{"type": "button", "action_id": "open", "text": _plain("Open"), "url": content.url}]
    for decision, word, style, is_offered in (
        ("reject", "Reject", "danger", decides),
        ("approve", "Approve", "primary", decides and is_whole),
    ):
        if is_offered:
            value = str(Button.of(decision, review))
            shown = {"type": "button", "action_id": decision, "style": style, "value": value}
            buttons.insert(0, shown | {"text": _plain(word)})
    return buttons


def _comment() -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "said", "max_length": 1000}
    label = _plain("Comment; a rejection needs one")
    return {
        "type": "input", "block_id": "comment", "optional": True, "label": label, "element": element
    }  # fmt: skip


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text, 3000)}


def _plain(text: str, longest: int = 2000) -> dict[str, Any]:
    return {"type": "plain_text", "text": text[:longest] or "-", "emoji": False}
