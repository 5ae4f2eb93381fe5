"""Runs are named without a look-up, the same everywhere, and only by their own agent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.refs import new_id
from routing.gateway.runs import (
    RunLabelUnusable,
    StepUnusable,
    is_run_of,
    run_named,
    run_of,
    step_of,
)
from tests.routing.gateway.detectors.samples import ANTHROPIC

AGENT, OTHER = new_id("agt"), new_id("agt")
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def headers(**given: str):
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return named.get


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=200))
def test_a_label_is_one_run_of_one_agent(label):
    assert run_named(AGENT, label) == run_named(AGENT, label)
    assert run_named(AGENT, label).run_id != run_named(OTHER, label).run_id


def test_a_runs_id_is_a_name_for_it_to_its_own_agent_only():
    run = run_named(AGENT, "nightly")
    assert run_named(AGENT, run.run_id).run_id == run.run_id
    assert is_run_of(AGENT, run.run_id)
    assert not is_run_of(OTHER, run.run_id)
    assert run_named(OTHER, run.run_id).run_id != run.run_id
    assert not is_run_of(AGENT, run.run_id[:-1])
    assert not is_run_of(AGENT, "run_" + "0" * 26)


def test_the_agents_own_label_comes_before_a_trace_and_a_trace_before_a_session():
    trace = f"00-{TRACE}-00f067aa0ba902b7-01"
    own = run_of(AGENT, headers(x_unsprawl_run="mine", traceparent=trace, session_id="s"))
    traced = run_of(AGENT, headers(traceparent=trace, session_id="s"))
    session = run_of(AGENT, headers(session_id="s"))
    assert (own.label, traced.label, session.label) == ("mine", TRACE, "s")


SPAN = "00f067aa0ba902b7"
BROKEN = [
    "",
    "x",
    f"00-{TRACE}",
    f"ff-{TRACE}-{SPAN}-01",
    f"00-{'0' * 32}-{SPAN}-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{SPAN}-01",
]


@pytest.mark.parametrize("trace", BROKEN)
def test_a_broken_trace_names_no_run(trace):
    run = run_of(AGENT, headers(traceparent=trace))
    assert run.is_new
    assert run.label == run.run_id
    assert is_run_of(AGENT, run.run_id)


def test_without_a_name_every_call_is_a_run_of_its_own():
    assert run_of(AGENT, headers()).run_id != run_of(AGENT, headers()).run_id


def test_a_session_that_cannot_be_a_label_is_left_aside():
    assert run_of(AGENT, headers(session_id="x" * 201)).is_new


@pytest.mark.parametrize("label", ["", "  ", "x" * 201, "a\nb", "a\x00"])
def test_a_label_is_short_and_printable(label):
    with pytest.raises(RunLabelUnusable):
        run_of(AGENT, headers(x_unsprawl_run=label))


def test_a_label_is_recorded_without_credentials_and_is_the_same_run() -> None:
    run, other = run_named(AGENT, f"job {ANTHROPIC}"), run_named(AGENT, f"job {ANTHROPIC}x")
    assert run.label == "job [redacted: secret]"
    assert run.run_id != other.run_id


def test_a_credential_is_no_step() -> None:
    with pytest.raises(StepUnusable):
        step_of(headers(x_unsprawl_step="gsk_" + "a1B2c3D4e5" * 5))
