"""Slack: one message, by chat.postMessage.

What agents write is text and never markup: the three signs that Slack reads are escaped, and
names of channels and people are not linked. `client_msg_id` is the key, which Slack knows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from effects.adapters.adapter import SECRET_GAP, Ending, Lent, Place, Plan, Sent, Work
from effects.adapters.answers import SOON, after_failure, after_status, retry_after
from effects.adapters.errors import ArgumentsRefused, wrong
from effects.adapters.filling import check_template, fill, is_place
from effects.adapters.shape import check_members, check_seconds
from kernel.canonical import NotJSON, canonical

API: Final = "https://slack.com/api"
_CHANNEL: Final = re.compile(r"[CDG][A-Z0-9]{2,30}|#[a-z0-9._-]{1,80}")
_STAMP: Final = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,20})?")  # a message's `ts`
_LONGEST: Final = 3000  # of one section's text
_MOST_SECTIONS: Final = 20
# What Slack answers with ok: false, and what it means for the message.
_LATER: Final = frozenset({"ratelimited", "rate_limited"})
_NOT_KNOWN: Final = frozenset({"internal_error", "fatal_error", "service_unavailable"})
_DONE_BEFORE: Final = "duplicate_client_msg_id"


class SlackAdapter:
    """``settings``: channels (those it may write to), base_url, timeout_seconds.

    ``template``: channel, text, sections; each a text or a place.
    """

    name = "slack"
    version = 1

    def check_place(self, place: Place) -> None:
        settings = place.settings
        check_members(
            settings, "settings", needed=frozenset(),
            more={"channels", "base_url", "timeout_seconds"},
        )  # fmt: skip
        channels = settings.get("channels", [])
        if not isinstance(channels, list) or not all(map(_is_channel, channels)):
            raise wrong("settings/channels", 'a list such as ["#finance", "C024BE91L"].')
        try:
            _client(place).check(_base(place))
        except AddressRefused as error:
            raise wrong("settings/base_url", error.detail) from None
        check_seconds(settings.get("timeout_seconds"), "settings/timeout_seconds")

    def check_work(self, place: Place, work: Work) -> None:
        check_members(work.template, "template", needed={"channel", "text"}, more={"sections"})
        check_members(work.lookup, "lookup", needed=frozenset())
        for member in ("channel", "text"):
            if not is_place(work.template[member]) and not isinstance(work.template[member], str):
                raise wrong(f"template/{member}", "a text, or a place.")
        check_template(work.template, "template")

    def plan(self, place: Place, work: Work, arguments: Mapping[str, Any], key: str) -> Plan:
        filled = fill(work.template, arguments, key)
        channel = filled["channel"]
        if not _is_channel(channel):
            raise ArgumentsRefused("The channel is an id such as C024BE91L, or #name.")
        allowed = place.settings.get("channels", [])
        if allowed and channel not in allowed:
            raise ArgumentsRefused("The connection does not write to this channel.")
        texts = [filled["text"], *_listed(filled.get("sections", []))]
        if len(texts) > _MOST_SECTIONS:
            raise ArgumentsRefused(f"A message has at most {_MOST_SECTIONS} sections.")
        body = {
            "channel": channel,
            "client_msg_id": key,
            "text": escaped(texts[0]),
            "blocks": [
                {"type": "section", "text": {"type": "mrkdwn", "text": escaped(text),
                                             "verbatim": True}}
                for text in texts
            ],
            "parse": "none",
            "link_names": False,
            "unfurl_links": False,
            "unfurl_media": False,
        }  # fmt: skip
        parts = [
            ("request", f"POST {_base(place)}/chat.postMessage"),
            ("header Content-Type", "application/json; charset=utf-8"),
            *((f"header {name}", SECRET_GAP) for name in place.gaps),
            ("body", canonical(body).decode()),
        ]
        return Plan(tuple(parts))

    def send(self, place: Place, plan: Plan, lent: Lent, *, key: str, fence: int) -> Sent:
        parts = dict(plan.parts)
        url = parts["request"].removeprefix("POST ")
        headers = {"Content-Type": parts["header Content-Type"], **lent.headers}
        try:
            answer = _client(place).post(url, parts["body"].encode(), headers=headers)
        except AddressRefused as error:
            return Sent(Ending.NOT_DONE, f"address:{error.facts.get('reason', '')}")
        except FetchFailed as error:
            return _as_open(after_failure(error, has_key=True))
        return _read(answer)

    def probe(self, place: Place, lent: Lent) -> str:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **lent.headers}
        try:
            answer = _client(place).post(f"{_base(place)}/auth.test", b"", headers=headers)
            said = answer.json()
        except (AddressRefused, FetchFailed) as error:
            return f"{error.code}:{error.facts.get('reason', '')}"
        except NotJSON:
            return "slack:not_json"
        if isinstance(said, dict) and said.get("ok") is True:
            return "ok"
        return f"slack:{_word(said)}"

    def look_up(
        self, place: Place, work: Work, arguments: Mapping[str, Any], lent: Lent, *, key: str
    ) -> Sent:
        return Sent(Ending.UNKNOWN, "no_lookup")


def escaped(text: object) -> str:
    """Escape what Slack would read as markup of its own. Raises: ArgumentsRefused."""
    if not isinstance(text, str) or not text or len(text) > _LONGEST:
        raise ArgumentsRefused(f"A text of a message has 1 to {_LONGEST} characters.")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _read(answer: Answer) -> Sent:
    if answer.status != 200:
        return after_status(answer, has_key=True)
    try:
        said = answer.json()
    except NotJSON:
        said = None
    if not isinstance(said, dict):
        return Sent(Ending.UNKNOWN, "slack:not_json")
    if said.get("ok") is True:
        return Sent(Ending.DONE, "slack:ok", _stamp(said.get("ts")))
    return _refused(_word(said), answer)


def _stamp(said: object) -> str:
    # It goes on record beside the action, where nothing of another's wording belongs.
    return said if isinstance(said, str) and _STAMP.fullmatch(said) else ""


def _refused(word: str, answer: Answer) -> Sent:
    if word == _DONE_BEFORE:
        return Sent(Ending.DONE, f"slack:{word}")
    if word in _NOT_KNOWN:
        return Sent(Ending.UNKNOWN, f"slack:{word}")
    pause = (retry_after(answer.headers) or SOON) if word in _LATER else None
    return Sent(Ending.NOT_DONE, f"slack:{word}", "", pause)


def _as_open(sent: Sent) -> Sent:
    # Slack says in the body whether it did it; a 200 whose body broke off says nothing.
    if sent.status == "http:200":
        return Sent(Ending.UNKNOWN, "no_answer:broken")
    return sent


def _word(said: object) -> str:
    found = said.get("error") if isinstance(said, dict) else None
    return found if isinstance(found, str) and re.fullmatch(r"[a-z_]{1,60}", found) else "refused"


def _listed(given: object) -> list[object]:
    return given if isinstance(given, list) else [given]


def _is_channel(given: object) -> bool:
    return isinstance(given, str) and _CHANNEL.fullmatch(given) is not None


def _base(place: Place) -> str:
    return str(place.settings.get("base_url", API)).rstrip("/")


def _client(place: Place) -> GuardedClient:
    return GuardedClient(
        allow_private=place.allow_private,
        seconds=float(place.settings.get("timeout_seconds", 20)),
    )
