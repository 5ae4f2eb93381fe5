"""Runs recorded through a real gateway, replayed by the code that is here now."""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest

from kernel.canonical import canonical
from routing.code import RELEASE, code_version
from routing.gateway.metering import Usage
from routing.gateway.passages import Translation
from routing.gateway.progress import Progress
from routing.gateway.replaying.guard import NetworkRefused, no_network
from routing.gateway.replaying.recorded import DumpUnreadable, RecordedRun, dump, load, named
from routing.gateway.replaying.report import Report
from routing.gateway.replaying.run import Replayer
from routing.gateway.snapshot import Agent
from routing.gateway.sse import Event
from routing.gateway.tools import judging
from routing.gateway.tools.chat_stream import ChatCalls
from routing.gateway.wires.chat import Chat
from tests.golden.recording import Recording
from tests.golden.scenarios import SCENARIOS, Scenario

RUNS = int(os.environ.get("UNSPRAWL_SOAK_RUNS", "240"))
EACH = -(-RUNS // len(SCENARIOS))


def scenario_of(name: str) -> Scenario:
    return next(one for one in SCENARIOS if one.name == name)


def replayed(run: RecordedRun) -> Report:
    with Replayer(code_version()) as replayer:
        return replayer.replay(run)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_what_was_recorded_is_replayed_byte_for_byte(
    recording: Recording, scenario: Scenario
) -> None:
    runs = recording.record(scenario, EACH)
    assert len(runs) == EACH
    with Replayer(code_version()) as replayer:
        for run in runs:
            report = replayer.replay(run)
            assert (report.verdict, report.connections) == (scenario.verdict, 0), report.told()
            again = replayer.replay(load(dump(run)))
            assert again.told() == report.told()


def test_every_step_of_a_call_is_carried_out(recording: Recording) -> None:
    (run,) = recording.record(scenario_of("chat-by-messages-stream"))
    (call,) = replayed(run).calls
    steps = ["reading", "screening", "decision", "leaving", "leaving", "relaying"]
    assert [step.name for step in call.steps] == [*steps, "metering", "ending"]
    assert call.code == code_version()
    assert call.code.startswith(RELEASE)


# --- what a change of our code looks like


@pytest.mark.parametrize(
    ("name", "place", "attribute", "changed", "step"),
    [
        ("chat", Chat, "for_vendor", lambda self, body, model: b"{}", "leaving"),
        ("chat", Usage, "cost_micros", lambda self, model: 7, "metering"),
        ("chat", Agent, "described", lambda self: {"name": "other"}, "decision"),
        ("chat-429", Progress, "payload", lambda self, ending: b"", "relaying"),
        ("chat-by-messages", Translation, "whole", lambda self, status, body: body, "relaying"),
        ("tools-stripped", judging, "without_stripped", lambda body, ruling: None, "screening"),
        (
            "chat-tools-stream",
            ChatCalls,
            "take",
            lambda self, event: [Event(event.raw + b": x\n\n", event.data)],
            "relaying",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_step_that_differs_is_named(
    recording: Recording,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    place: Any,
    attribute: str,
    changed: Any,
    step: str,
) -> None:
    (run,) = recording.record(scenario_of(name))
    monkeypatch.setattr(place, attribute, changed)
    report = replayed(run)
    assert report.verdict == "diverged"
    assert report.first is not None
    call, found = report.first
    assert (call.entry_id, found.name) == (next(run.calls()).entry_id, step)
    assert found.recorded != found.replayed


def test_a_denial_is_decided_again_by_the_bundle_of_its_day(recording: Recording) -> None:
    (run,) = recording.record(scenario_of("denied"))
    assert replayed(run).verdict == "identical"
    (denial,) = run.calls()
    asked = str(denial.facts["input"])
    said = json.loads(run.artifacts[asked])
    said["agent"]["data_classes"] = ["internal"]
    (other,) = named([canonical(said)]).values()
    forged = RecordedRun(run.run_id, run.entries, {**run.artifacts, asked: other})
    report = replayed(forged)
    assert report.first is not None
    assert report.first[1].name == "decision"
    assert report.first[1].replayed.startswith("allow")


def test_what_is_not_on_record_makes_a_replay_incomplete(recording: Recording) -> None:
    (run,) = recording.record(scenario_of("chat"))
    report = replayed(RecordedRun(run.run_id, run.entries, {}))
    assert report.verdict == "incomplete"
    assert report.first is not None
    assert "not on record" in report.first[1].what


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("data-redacted-before", "screening"),
        ("data-redacted-after", "relaying"),
        ("data-blocked", "screening"),
        ("credential", "reading"),
    ],
)
def test_what_detectors_took_out_is_kept_nowhere_and_said_to_be_missing(
    recording: Recording, name: str, step: str
) -> None:
    (run,) = recording.record(scenario_of(name))
    report = replayed(run)
    assert report.first is not None
    assert (report.first[1].name, report.first[1].found) == (step, "missing")
    everything = dump(run)
    assert b"@example.com" not in everything
    assert b"aB3dE6gH9kL2nP5rT8vX" not in everything


# --- no network


def test_nothing_is_reached_while_replaying() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = server.getsockname()
        with no_network() as tries, socket.socket() as client:
            with pytest.raises(NetworkRefused):
                client.connect(address)
            with pytest.raises(NetworkRefused):
                socket.getaddrinfo("localhost", 80)
            assert tries.count == 2
        with socket.create_connection(address):
            pass  # and afterwards as before


def test_code_that_reaches_out_diverges(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = recording.record(scenario_of("chat-by-messages"))

    def reaching(self: Translation, status: int, body: bytes) -> bytes:
        with socket.socket() as line:
            line.connect(("127.0.0.1", 1))
        return body

    monkeypatch.setattr(Translation, "whole", reaching)
    report = replayed(run)
    assert (report.verdict, report.connections) == ("diverged", 1)


def test_a_file_that_is_no_dump_is_refused() -> None:
    for raw in (b"", b"x", b'{"format": "other"}\n', b"[]\n"):
        with pytest.raises(DumpUnreadable):
            load(raw)
