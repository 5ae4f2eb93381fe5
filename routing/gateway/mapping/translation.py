"""From the words of a call to the words of a target, and back: which ways there are.

Owns the ways and their composition. A way is named by the kind of call and the wire that the
target is asked on; responses reach Anthropic's messages by way of chat completions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from routing.gateway.mapping import chat_to_messages, messages_to_chat, responses_to_chat
from routing.gateway.mapping.chat_as_message import EventWriter, message_of
from routing.gateway.mapping.chat_as_response import ResponseWriter, response_of
from routing.gateway.mapping.losses import Losses
from routing.gateway.mapping.message_as_chat import ChunkWriter, completion_of

Shape = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sought:
    """The model that a call is said for, and the most it can answer where that is known."""

    model: str
    most: int | None = None


class Writer(Protocol):
    """A stream's events said otherwise, one after the other."""

    lost: set[str]

    def take(self, event: Shape) -> list[Shape]: ...

    def end(self) -> list[Shape]: ...


@dataclass(frozen=True, slots=True)
class Answering:
    """How what a target answers to one call is said to the agent."""

    whole: Callable[[Shape], Shape]
    writer: Writer
    lost: set[str]


@dataclass(frozen=True, slots=True)
class Way:
    """One translation. ``asked_on`` is the wire that the target is asked on."""

    name: str
    asked_on: str
    ask: Callable[[Shape, Sought, Losses], Shape]
    answering: Callable[[Shape, int], Answering]  # the call as the agent made it, and now


# --- asking


def _chat_to_messages(call: Shape, sought: Sought, losses: Losses) -> Shape:
    return chat_to_messages.call_for_messages(
        call, model=sought.model, most=sought.most, losses=losses
    )


def _messages_to_chat(call: Shape, sought: Sought, losses: Losses) -> Shape:
    return messages_to_chat.call_for_chat(call, model=sought.model, losses=losses)


def _responses_to_chat(call: Shape, sought: Sought, losses: Losses) -> Shape:
    return responses_to_chat.call_for_chat(call, losses=losses) | {"model": sought.model}


def _responses_to_messages(call: Shape, sought: Sought, losses: Losses) -> Shape:
    return _chat_to_messages(_responses_to_chat(call, sought, losses), sought, losses)


# --- answering


def _message_as_chat(call: Shape, now: int) -> Answering:
    options = call.get("stream_options")
    asked = isinstance(options, dict) and options.get("include_usage") is True
    writer = ChunkWriter(created=now, reports_usage=asked)
    return Answering(
        lambda message: completion_of(message, created=now, lost=writer.lost), writer, writer.lost
    )


def _chat_as_message(call: Shape, now: int) -> Answering:
    writer = EventWriter()
    return Answering(
        lambda completion: message_of(completion, lost=writer.lost), writer, writer.lost
    )


def _chat_as_response(call: Shape, now: int) -> Answering:
    writer = ResponseWriter(call=call, created=now)
    return Answering(
        lambda completion: response_of(completion, call=call, created=now), writer, writer.lost
    )


def _message_as_response(call: Shape, now: int) -> Answering:
    first = ChunkWriter(created=now, reports_usage=True)
    second = ResponseWriter(call=call, created=now)

    def whole(message: Shape) -> Shape:
        completion = completion_of(message, created=now, lost=first.lost)
        return response_of(completion, call=call, created=now)

    return Answering(whole, _Both(first, second), first.lost)


class _Both:
    """Two writers, one after the other."""

    def __init__(self, first: ChunkWriter, second: ResponseWriter) -> None:
        self._first, self._second = first, second
        self.lost = first.lost

    def take(self, event: Shape) -> list[Shape]:
        return [made for chunk in self._first.take(event) for made in self._second.take(chunk)]

    def end(self) -> list[Shape]:
        chunks = self._first.end()
        return [made for chunk in chunks for made in self._second.take(chunk)] + self._second.end()


# From the operation of a call and the dialect of a vendor that does not serve it as it is.
WAYS: Final[Mapping[tuple[str, str], Way]] = {
    ("chat", "anthropic"): Way("openai→anthropic", "messages", _chat_to_messages, _message_as_chat),
    ("messages", "openai"): Way("anthropic→openai", "chat", _messages_to_chat, _chat_as_message),
    ("responses", "openai"): Way("responses→chat", "chat", _responses_to_chat, _chat_as_response),
    ("responses", "anthropic"): Way(
        "responses→anthropic", "messages", _responses_to_messages, _message_as_response
    ),
}
