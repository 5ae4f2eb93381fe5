from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kernel.canonical import digest
from policy.engine import Judge
from policy.errors import BundleUnusable

YES = """answer := {
    "allow": true, "ask": false, "rule": "calls.allowed", "reason": "Yes.",
    "constraints": {
        "allowed_vendors": [], "regions": [], "max_cost_micros": null, "receipt_level": "L0",
    },
}"""
# Four loops over a hundred items: longer than anybody waits.
FOR_EVER = """answer := count([1 |
    some _ in data.l
    some _ in data.l
    some _ in data.l
    some _ in data.l
])"""
HUNDRED = {"l": list(range(100))}


def child_of(judge: Judge) -> int:
    chamber = judge._chamber
    assert chamber is not None
    return chamber.pid


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def kill_at_work(pid: int) -> None:
    """Kill a process once it has worked for a while: it is in the middle of something then."""
    begun = worked(pid)
    while worked(pid) < begun + 0.2:
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)


def worked(pid: int) -> float:
    """Return for how many seconds a process had the processor."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def wait_until_gone(pid: int, seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while is_running(pid) and time.monotonic() < end:
        time.sleep(0.02)
    return not is_running(pid)


def decide_until_clean(judge: Judge, facts: dict[str, Any], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if judge.decide(facts).allow:
            return True
        time.sleep(0.05)
    return False


def test_an_allowed_call_names_its_rule_its_bundle_and_its_facts(
    judge: Judge, good: dict[str, Any]
) -> None:
    decision = judge.decide(good)
    assert decision.allow
    assert not decision.ask
    assert decision.rule == "calls.allowed"
    assert decision.bundle_digest == judge.bundle_digest
    assert decision.input_digest == digest(good)
    assert decision.constraints == {
        "allowed_vendors": ["*"],
        "regions": [],
        "max_cost_micros": None,
        "receipt_level": "L0",
    }
    assert decision.is_lasting


def test_a_denial_names_the_rule_and_says_what_to_do(judge: Judge, good: dict[str, Any]) -> None:
    good["agent"]["data_classes"] = ["personal", "internal"]
    decision = judge.decide(good)
    assert (decision.allow, decision.ask) == (False, False)
    assert decision.rule == "calls.data_class_vendor"
    assert "(personal)" in decision.reason
    assert "ask the security team" in decision.reason
    assert decision.constraints == {}


def test_a_question_is_neither_allowed_nor_denied_for_good(
    judge: Judge, good: dict[str, Any]
) -> None:
    good["agent"]["data_classes"] = good["target"]["data_classes"] = ["regulated"]
    decision = judge.decide(good)
    assert (decision.allow, decision.ask) == (False, True)
    assert decision.rule == "calls.data_class_approval"


def test_the_order_of_keys_changes_nothing(judge: Judge, good: dict[str, Any]) -> None:
    turned = {key: dict(reversed(value.items())) for key, value in reversed(good.items())}
    assert judge.decide(turned) == judge.decide(good)


@pytest.mark.parametrize(
    "facts",
    [{"x": float("nan")}, {"x": 2**80}, {"x": object()}, {"x": b"bytes"}, {1: 2}, {"x": "\ud800"}],
)
def test_facts_that_are_not_json_are_denied(judge: Judge, facts: Any) -> None:
    decision = judge.decide(facts)
    assert not decision.allow
    assert decision.rule == "policy.unclean"
    assert decision.input_digest == ""
    assert not decision.is_lasting


@pytest.mark.parametrize("name", ['he "quotes"', "nul\x00", "back\\slash", "line\nbreak"])
def test_names_that_engines_read_differently_are_denied(
    judge: Judge, good: dict[str, Any], name: str
) -> None:
    good["target"]["model"] = name
    assert judge.decide(good).rule == "policy.unclean"


def test_facts_too_large_to_judge_are_denied(judge: Judge, good: dict[str, Any]) -> None:
    good["agent"]["team"] = "x" * 200_000
    assert judge.decide(good).rule == "policy.unclean"


def test_facts_nested_too_deep_are_denied(judge: Judge) -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    assert judge.decide({"x": nested}).rule == "policy.unclean"


def test_letters_of_any_script_are_judged_alike(judge: Judge, good: dict[str, Any]) -> None:
    good["agent"]["routes"] = ["größe-日本-😀"]
    good["call"]["route"] = good["route"]["name"] = "größe-日本-😀"
    assert judge.decide(good).allow


@pytest.mark.parametrize(
    "rule",
    [
        "answer := 1 if input.never",
        'answer := "yes"',
        "answer := true",
        "answer := {}",
        'answer := {"allow": true}',
        YES.replace('"allow": true', '"allow": "true"'),
        YES.replace('"ask": false', '"ask": true'),
        YES.replace('"Yes."', '""'),
        YES.replace("calls.allowed", "Something else"),
        YES.replace('"L0"', '"L7"'),
        YES.replace("null", "true"),
        YES.replace("null", "-1"),
        YES.replace('"regions": []', '"regions": [1]'),
        YES.replace('"regions": [],', ""),
        YES.replace('"regions": []', '"regions": [], "more": 1'),
        YES.replace('"allow": true', '"allow": false'),
        'answer := max(input.agent.name) + 1',
        "answer contains 1 if true\nanswer contains 2 if true",
    ],
)  # fmt: skip
def test_an_answer_of_any_other_shape_is_denied(
    make_bundle: Callable[..., Path], good: dict[str, Any], rule: str
) -> None:
    with Judge(make_bundle(rule)) as judge:
        decision = judge.decide(good)
    assert not decision.allow
    assert decision.rule == "policy.unclean"


def test_a_worker_that_died_while_nobody_asked_costs_no_call(good: dict[str, Any]) -> None:
    with Judge(deadline_seconds=20) as judge:
        pid = child_of(judge)
        os.kill(pid, signal.SIGKILL)
        assert wait_until_gone(pid)
        assert judge.decide(good).allow
        assert child_of(judge) != pid


def test_a_worker_killed_in_the_middle_of_a_decision_denies_it(
    make_bundle: Callable[..., Path], good: dict[str, Any]
) -> None:
    with Judge(make_bundle(FOR_EVER, HUNDRED), deadline_seconds=30) as judge:
        pid = child_of(judge)
        threading.Thread(target=kill_at_work, args=(pid,)).start()
        started = time.monotonic()
        assert judge.decide(good).rule == "policy.unavailable"
        assert time.monotonic() - started < 25
        assert child_of(judge) != pid


def test_after_a_lost_decision_the_next_ones_are_judged(good: dict[str, Any]) -> None:
    with Judge() as judge:
        os.kill(child_of(judge), signal.SIGKILL)
        judge.decide(good)
        assert decide_until_clean(judge, good)


def test_a_slow_policy_is_denied_at_the_deadline_and_its_worker_is_ended(
    make_bundle: Callable[..., Path], good: dict[str, Any]
) -> None:
    with Judge(make_bundle(FOR_EVER, HUNDRED), deadline_seconds=0.3) as judge:
        pid = child_of(judge)
        started = time.monotonic()
        assert judge.decide(good).rule == "policy.unavailable"
        assert time.monotonic() - started < 20
        assert not is_running(pid)


def test_repeated_failures_wait_longer_each_time_before_the_next_worker(
    make_bundle: Callable[..., Path], good: dict[str, Any]
) -> None:
    with Judge(make_bundle(FOR_EVER, HUNDRED), deadline_seconds=0.4) as judge:
        began = time.monotonic()
        while judge._failures < 4:
            assert not judge.decide(good).allow
            time.sleep(0.01)
        # It waited after the second and the third, and each had its time.
        assert time.monotonic() - began > 0.2 + 0.4 + 4 * 0.4


def test_a_thread_that_cannot_get_a_turn_in_time_is_denied(
    make_bundle: Callable[..., Path], good: dict[str, Any]
) -> None:
    with Judge(deadline_seconds=0.2) as judge, judge._lock:
        assert judge.decide(good).rule == "policy.unavailable"


def test_a_closed_judge_denies(good: dict[str, Any]) -> None:
    judge = Judge()
    pid = child_of(judge)
    judge.close()
    assert not is_running(pid)
    assert judge.decide(good).rule == "policy.unavailable"
    judge.close()


def test_eight_threads_get_their_own_answers(good: dict[str, Any]) -> None:
    def work(number: int) -> int:
        right = 0
        for turn in range(200):
            facts = {**good, "agent": {**good["agent"], "name": f"agent-{number}-{turn}"}}
            facts["agent"]["stage"] = "live" if turn % 2 else "draft"
            decision = judge.decide(facts)
            names_it = f"agent-{number}-{turn} " in decision.reason
            right += decision.allow if turn % 2 else names_it and decision.rule == "calls.stage"
        return right

    with Judge(deadline_seconds=120) as judge, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(8))) == [200] * 8


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ("answer := {", "does not build"),
        ("other := 1", "no module defines"),
        ("answer := http.send({})", "http.send"),
        ("answer := 1 if input.x with input as {}", "with"),
    ],
)
def test_a_bundle_that_cannot_judge_stops_the_start(
    make_bundle: Callable[..., Path], rule: str, says: str
) -> None:
    with pytest.raises(BundleUnusable, match=says) as caught:
        Judge(make_bundle(rule))
    assert caught.value.code == "policy.bundle_unusable"


def test_the_process_that_decides_never_loads_the_engine() -> None:
    code = (
        "import sys; from policy.engine import Judge\n"
        "with Judge() as judge: judge.decide({})\n"
        "roots = {name.partition('.')[0] for name in sys.modules}\n"
        "sys.exit(len(roots & {'regopy', 'django', 'regorus'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("busy", [False, True])
def test_the_worker_does_not_outlive_its_parent(
    make_bundle: Callable[..., Path], *, busy: bool
) -> None:
    directory = make_bundle(FOR_EVER if busy else YES, HUNDRED)
    code = (
        "import os, signal, threading; from pathlib import Path\n"
        "from policy.engine import Judge\n"
        f"judge = Judge(Path({str(directory)!r}), deadline_seconds=0.5)\n"
        "print(judge._chamber.pid, flush=True)\n"
        "threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGKILL)).start()\n"
        "judge.decide({})\n"
        "threading.Event().wait()\n"
    )
    parent = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True)
    assert parent.returncode == -signal.SIGKILL
    assert wait_until_gone(int(parent.stdout))


def test_the_worker_inherits_no_environment() -> None:
    with Judge() as judge:
        environment = Path(f"/proc/{child_of(judge)}/environ").read_bytes()
    assert b"=" not in environment.replace(b"LC_CTYPE=C.UTF-8", b"")
