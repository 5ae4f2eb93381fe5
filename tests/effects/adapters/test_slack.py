"""Slack's door, as an HTTP server that speaks its shapes (chat.postMessage, auth.test)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from effects.adapters.adapter import Ending, Lent, Place, Work
from effects.adapters.errors import ArgumentsRefused
from effects.adapters.slack import SlackAdapter
from tests.effects.adapters.contract import HIDDEN, KEY, AdapterContract, Case
from tests.effects.sinks import Asked, HttpSink, http_sink
from tests.ports import free_port

ADAPTER = SlackAdapter()
TEMPLATE: dict[str, Any] = {"channel": "#finance", "text": {"$argument": "/text"}}


class Slack:
    """Takes a message once for a client_msg_id."""

    def __init__(self, sink: HttpSink) -> None:
        self.sink, self.error, self.messages = sink, "", dict[str, Any]()
        sink.answer = self.answer

    def answer(self, asked: Asked) -> tuple[int, object]:
        if asked.headers.get("authorization") != f"Bearer {HIDDEN}":
            return 200, {"ok": False, "error": "invalid_auth"}
        if asked.path.endswith("/auth.test"):
            return 200, {"ok": True, "team": "Acme"}
        if self.error:
            return 200, {"ok": False, "error": self.error}
        body = asked.json()
        if body["client_msg_id"] in self.messages:
            return 200, {"ok": False, "error": "duplicate_client_msg_id"}
        self.messages[body["client_msg_id"]] = body
        return 200, {"ok": True, "channel": "C1", "ts": "1503435956.000247", "message": {}}


@pytest.fixture
def slack() -> Iterator[Slack]:
    with http_sink() as sink:
        yield Slack(sink)


def place_at(port: int, **over: Any) -> Place:
    settings = {"base_url": f"http://127.0.0.1:{port}/api", **over}
    return Place("slack", settings, allow_private=True, gaps=("Authorization",))


def case_of(slack: Slack) -> Case:
    def refuses() -> None:
        slack.error = "channel_not_found"

    def breaks() -> None:
        slack.sink.breaks = "after"

    return Case(
        ADAPTER,
        place_at(slack.sink.port),
        Work("post", TEMPLATE),
        {"text": "Invoice 7 is paid"},
        "text",
        lambda: len(slack.messages),
        place_at(free_port()),
        refuses,
        breaks,
        "native",
        Lent({"Authorization": f"Bearer {HIDDEN}"}),
    )


class TestSlack(AdapterContract):
    @pytest.fixture
    def case(self, slack: Slack) -> Case:
        return case_of(slack)


def test_what_an_agent_writes_is_text_and_never_markup(slack: Slack) -> None:
    case = case_of(slack)
    case.arguments = {"text": "<!channel> <https://evil.test|click> & <@U1>"}
    assert case.send().ending is Ending.DONE
    body = slack.messages[KEY]
    escaped = "&lt;!channel&gt; &lt;https://evil.test|click&gt; &amp; &lt;@U1&gt;"
    assert body["text"] == body["blocks"][0]["text"]["text"] == escaped
    assert (body["link_names"], body["parse"], body["channel"]) == (False, "none", "#finance")


ERRORS = [
    ("channel_not_found", Ending.NOT_DONE, False), ("invalid_auth", Ending.NOT_DONE, False),
    ("ratelimited", Ending.NOT_DONE, True), ("internal_error", Ending.UNKNOWN, False),
]  # fmt: skip


@pytest.mark.parametrize(("word", "ending", "again"), ERRORS)
def test_a_refusal_in_the_body_says_how_it_ended(
    slack: Slack, word: str, ending: Ending, again: bool
) -> None:
    slack.error = word
    sent = case_of(slack).send()
    assert (sent.ending, sent.status) == (ending, f"slack:{word}")
    assert (sent.retry_after_seconds is not None) is again


def test_a_connection_writes_to_its_own_channels_only(slack: Slack) -> None:
    place = place_at(slack.sink.port, channels=["#finance"])
    template = TEMPLATE | {"channel": {"$argument": "/channel"}}
    given = {"channel": "#finance", "text": "hi"}
    ADAPTER.plan(place, Work("post", template), given, KEY)
    for channel in ("#general", "@bob", "C1\n", "https://evil.test"):
        with pytest.raises(ArgumentsRefused):
            ADAPTER.plan(place, Work("post", template), given | {"channel": channel}, KEY)


def test_a_token_that_does_not_hold_is_told_by_the_test(slack: Slack) -> None:
    place = place_at(slack.sink.port)
    assert ADAPTER.probe(place, Lent({"Authorization": f"Bearer {HIDDEN}"})) == "ok"
    assert ADAPTER.probe(place, Lent({"Authorization": "Bearer x"})) == "slack:invalid_auth"
