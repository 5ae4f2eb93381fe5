"""Agents that act for agents, through a served gateway: what they may, and who is told."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from bench.gateway.rig import Rig, World
from kernel.keys import PepperRing, new_pepper_document
from routing.gateway.delegation.rights import Rights
from routing.gateway.delegation.token import Delegation, DelegationKeys, Link
from tests.routing.gateway.conftest import BODY, Agent, Got, eventually
from tests.routing.gateway.detectors.samples import ANTHROPIC
from tests.routing.gateway.scripted import ScriptedVendor, chunk_event, stream

MakeAgent = Callable[..., Agent]
HEADER = "x-unsprawl-delegation"


@pytest.fixture
def pair(make_agent: MakeAgent) -> tuple[Agent, Agent]:
    """A planner and a worker, who share the planner's route; each has one of its own too."""
    planner = make_agent(data_classes=["internal", "public"])
    worker = make_agent(routes=[planner.route, "sandbox"])
    return planner, worker


def ask(giver: Agent, to: Agent, under: str = "", **wish: Any) -> Got:
    assert to.row is not None
    raw = json.dumps({"to": to.row.name} | wish).encode()
    headers = {HEADER: under} if under else {}
    return giver.ask("POST", "/v1/delegations", raw, **headers)


def give(giver: Agent, to: Agent, under: str = "", **wish: Any) -> Any:
    got = ask(giver, to, under, **wish)
    assert got.status == 201, got.body
    return got.json


def call(worker: Agent, text: str, route: str, **headers: str) -> Got:
    return worker.ask(
        "POST",
        "/v1/chat/completions",
        json.dumps(BODY | {"model": route}).encode(),
        **{HEADER: text} | headers,
    )


def is_refused(worker: Agent, text: str, route: str, code: str) -> bool:
    got = call(worker, text, route)
    return got.status == 403 and got.code == code


def facts(agent: Agent, kind: str) -> dict[str, Any]:
    return dict([entry["facts"] for entry in agent.entries() if entry["kind"] == kind][-1])


# --- what is given, and recorded


def test_a_worker_calls_for_a_planner_and_the_record_says_so(
    pair: tuple[Agent, Agent], world: World
) -> None:
    planner, worker = pair
    given = give(planner, worker, run="plan-1", expires_in=60)
    assert given["routes"] == [planner.route]
    assert given["data_classes"] == ["internal"]
    assert given["acting_for"] == f"agent:{planner.row.public_id}"
    got = call(worker, given["delegation"], planner.route)
    assert got.status == 200
    for kind in ("intent", "result"):
        told = facts(worker, kind)
        assert told["parent_run"] == given["run"]
        assert told["acting_for"] == f"agent:{planner.row.public_id}"
        assert told["via"] == [f"agent:{planner.row.public_id}"]
        assert told["delegation"] == given["id"]
    links = world.query(
        "SELECT parent_run, parent_agent, delegation_id FROM routing_runlink WHERE child_run = %s",
        got.headers["x-unsprawl-run"],
    )
    assert links == [(given["run"], planner.row.public_id, given["id"])]
    change = facts(planner, "change")
    assert change["delegation"] == given["id"]
    assert given["delegation"] not in json.dumps(planner.entries() + worker.entries())


def test_the_calls_of_one_delegation_are_one_run(pair: tuple[Agent, Agent]) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    runs = {call(worker, text, planner.route).headers["x-unsprawl-run"] for _ in range(2)}
    assert len(runs) == 1
    named = call(worker, text, planner.route, x_unsprawl_run="mine")
    assert named.headers["x-unsprawl-run"] not in runs


def test_without_a_delegation_nothing_is_said(pair: tuple[Agent, Agent]) -> None:
    _, worker = pair
    worker.post("/v1/chat/completions", BODY | {"model": pair[0].route})
    assert not {"parent_run", "acting_for", "via"} & facts(worker, "intent").keys()


def test_whom_an_agent_says_it_acts_for_is_recorded_as_a_claim(agent: Agent) -> None:
    got = agent.chat(x_unsprawl_acting_for="user:ann@acme.test")
    assert got.status == 200
    told = facts(agent, "intent")
    assert told["acting_for_claimed"] == "user:ann@acme.test"
    assert "acting_for" not in told
    agent.chat(x_unsprawl_acting_for=f"user:ann {ANTHROPIC}")
    assert facts(agent, "intent")["acting_for_claimed"] == "user:ann [redacted: secret]"


def test_a_run_of_ones_own_may_be_the_parent_and_no_other(pair: tuple[Agent, Agent]) -> None:
    planner, worker = pair
    mine = worker.post("/v1/chat/completions", BODY | {"model": planner.route})
    run = mine.headers["x-unsprawl-run"]
    body = BODY | {"model": planner.route}
    got = worker.post("/v1/chat/completions", body, x_unsprawl_parent_run=run)
    assert got.status == 200
    assert facts(worker, "intent")["parent_run"] == run
    theirs = planner.chat(x_unsprawl_parent_run=run)
    assert (theirs.status, theirs.code) == (400, "parent_run_unknown")
    text = give(planner, worker)["delegation"]
    wrong = call(worker, text, planner.route, x_unsprawl_parent_run=run)
    assert wrong.code == "parent_run_unknown"


# --- rights only shrink


def test_a_route_that_only_one_of_them_has_is_not_delegated(
    pair: tuple[Agent, Agent], make_agent: MakeAgent
) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    got = call(worker, text, "sandbox")  # the worker's own, and not the planner's
    assert (got.status, got.code) in {(403, "route_not_delegated"), (404, "model_not_found")}
    other = make_agent()
    wide = make_agent(routes=[other.route, planner.route])
    got = call(wide, give(planner, wide)["delegation"], other.route)
    assert (got.status, got.code) == (403, "route_not_delegated")
    assert wide.post("/v1/chat/completions", BODY | {"model": other.route}).status == 200


@pytest.mark.parametrize(
    "wish",
    [
        {"routes": ["sandbox"]},
        {"data_classes": ["internal", "regulated"]},
        {"data_classes": ["public"]},  # which the worker does not declare
        {"routes": []},
        {"data_classes": []},
    ],
)
def test_more_than_the_giver_has_is_refused(pair: tuple[Agent, Agent], wish: Any) -> None:
    got = ask(*pair, **wish)
    assert (got.status, got.code) == (403, "delegation_widens")


def test_every_hand_only_narrows(make_agent: MakeAgent) -> None:
    first = make_agent()
    second = make_agent(routes=[first.route, "sandbox"])
    third = make_agent(routes=[first.route, "sandbox"])
    given = give(first, second, tools=["read", "write"], max_cost_micros=100, expires_in=60)
    under = given["delegation"]
    for wish in (
        {"routes": ["sandbox"]},
        {"tools": ["send"]},
        {"max_cost_micros": 101},
        {"data_classes": ["public"]},
    ):
        assert ask(second, third, under, **wish).code == "delegation_widens"
    handed = give(second, third, under, tools=["read"], expires_in=3600)
    assert handed["expires_at"] == given["expires_at"]
    assert handed["tools"] == [["read", "write"], ["read"]]
    assert handed["max_cost_micros"] == 100
    assert handed["acting_for"] == f"agent:{first.row.public_id}"
    assert len(handed["via"]) == 2
    assert call(third, handed["delegation"], first.route).status == 200
    assert facts(third, "intent")["via"] == handed["via"]


def test_tools_that_were_not_delegated_are_refused(make_agent: MakeAgent) -> None:
    planner = make_agent()
    worker = make_agent(routes=[planner.route])
    text = give(planner, worker, tools=["read"])["delegation"]

    def offer(name: str) -> Got:
        tool = {"type": "function", "function": {"name": name}}
        body = BODY | {"model": planner.route, "tools": [tool]}
        return worker.ask(
            "POST", "/v1/chat/completions", json.dumps(body).encode(), **{HEADER: text}
        )

    assert offer("read").status == 200
    got = offer("write")
    assert (got.status, got.code) == (403, "tool_not_declared")
    assert got.json["error"]["rule"] == "tools.undelegated"


def test_what_the_giver_loses_is_lost_to_the_worker(
    pair: tuple[Agent, Agent], world: World
) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    assert call(worker, text, planner.route).status == 200
    world.change("UPDATE registry_agent SET routes = %s WHERE id = %s", ["sandbox"], planner.row.pk)
    eventually(lambda: is_refused(worker, text, planner.route, "route_not_delegated"))


def test_a_class_of_data_that_is_left_out_opens_no_vendor(make_agent: MakeAgent) -> None:
    """A worker of personal data may not send it where only internal data may go, acting or not."""
    planner = make_agent(data_classes=["internal"])
    worker = make_agent(routes=[planner.route], data_classes=["internal", "personal"])
    text = give(planner, worker, data_classes=["internal"])["delegation"]
    got = call(worker, text, planner.route)
    assert (got.status, got.json["error"]["rule"]) == (403, "calls.data_class_vendor")


# --- what is no delegation


def test_a_text_that_was_not_signed_here_is_refused(pair: tuple[Agent, Agent], rig: Rig) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    body, _, signature = text.removeprefix("usd_").partition(".")
    claims = json.loads(urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    wider = urlsafe_b64encode(
        json.dumps(claims | {"routes": [*claims["routes"], "sandbox"]}).encode()
    )
    foreign = DelegationKeys(_ring(new_pepper_document()))
    forged = foreign.signed(_delegation(planner, worker))
    for wrong in (
        f"usd_{wider.decode().rstrip('=')}.{signature}",
        text[:-2],
        text + "A",
        f"usd_{body}.",
        f"usd_{body}",
        f"usd_.{signature}",
        body,
        forged,
        "usd_" + "A" * 20_000,
        "usd_é.é",
        "",
    ):
        got = call(worker, wrong.encode("utf-8").decode("latin-1"), planner.route)
        assert (got.status, got.code) == (403, "delegation_invalid"), wrong[:40]


def test_a_delegation_is_of_no_use_to_another_agent(
    pair: tuple[Agent, Agent], make_agent: MakeAgent
) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    thief = make_agent(routes=[planner.route])
    assert call(thief, text, planner.route).code == "delegation_not_yours"
    assert call(planner, text, planner.route).code == "delegation_not_yours"
    assert ask(thief, planner, text).code == "delegation_not_yours"


def test_an_expired_delegation_is_refused(pair: tuple[Agent, Agent], rig: Rig) -> None:
    planner, worker = pair
    keys = DelegationKeys(PepperRing.load(rig.keys_dir / "pepper.json"))
    over = _delegation(planner, worker, expires_at=int(time.time()) - 1)
    assert call(worker, keys.signed(over), planner.route).code == "delegation_expired"


def test_a_chain_that_is_too_long_or_empty_is_refused_even_if_signed(
    pair: tuple[Agent, Agent], rig: Rig
) -> None:
    planner, worker = pair
    keys = DelegationKeys(PepperRing.load(rig.keys_dir / "pepper.json"))
    link = Link("dlg_x", planner.row.public_id, "run_x")
    for links in ((link,) * 6, ()):
        if not links:
            continue
        text = keys.signed(_delegation(planner, worker, links=links))
        assert call(worker, text, planner.route).code == "delegation_invalid"


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"to": 7},
        {"to": "x", "rights": "all"},
        {"to": "x", "expires_in": 3601},
        {"to": "x", "expires_in": 0},
        {"to": "x", "expires_in": True},
        {"to": "x", "routes": "all"},
        {"to": "x", "tools": [7]},
        {"to": "x", "max_cost_micros": -1},
        {"to": "x", "allow_cycles": "yes"},
    ],
)
def test_a_wish_that_cannot_be_read_is_refused(agent: Agent, said: Any) -> None:
    got = agent.ask("POST", "/v1/delegations", json.dumps(said).encode())
    assert (got.status, got.code) == (400, "delegation_unreadable")


def test_nobody_delegates_to_a_stranger_or_to_itself(agent: Agent) -> None:
    assert ask(agent, agent).code == "delegate_unknown"
    got = agent.ask("POST", "/v1/delegations", b'{"to": "nobody-of-that-name"}')
    assert (got.status, got.code) == (404, "delegate_unknown")


# --- cycles and depth


def test_a_delegation_does_not_come_back_unless_its_root_says_so(make_agent: MakeAgent) -> None:
    first = make_agent()
    second = make_agent(routes=[first.route])
    under = give(first, second)["delegation"]
    assert ask(second, first, under).code == "delegation_returns"
    assert ask(second, first, under, allow_cycles=True).code == "delegation_returns"
    under = give(first, second, allow_cycles=True)["delegation"]
    back = give(second, first, under, allow_cycles=True)["delegation"]
    assert call(first, back, first.route).status == 200


def test_a_delegation_goes_through_five_hands_at_most(make_agent: MakeAgent) -> None:
    hands = [make_agent()]
    hands += [make_agent(routes=[hands[0].route]) for _ in range(6)]
    under = ""
    for giver, to in pairwise(hands[:6]):
        under = give(giver, to, under)["delegation"]
    assert call(hands[5], under, hands[0].route).status == 200
    assert ask(hands[5], hands[6], under).code == "delegation_too_deep"


# --- ended


@pytest.mark.parametrize("column", ["suspended_at", "stage"])
def test_a_giver_that_is_stopped_ends_what_it_gave(
    make_agent: MakeAgent, world: World, column: str
) -> None:
    first = make_agent()
    second, third = (make_agent(routes=[first.route]) for _ in range(2))
    under = give(first, second)["delegation"]
    text = give(second, third, under)["delegation"]
    assert call(third, text, first.route).status == 200
    change = "suspended_at = now()" if column == "suspended_at" else (
        "stage = 'retired', retired_at = now()"
    )  # fmt: skip
    world.change(f"UPDATE registry_agent SET {change} WHERE id = %s", first.row.pk)
    eventually(lambda: is_refused(third, text, first.route, "delegation_ended"))
    assert ask(second, third, under).code == "delegation_ended"


def test_an_open_call_is_cut_when_its_giver_is_stopped(
    pair: tuple[Agent, Agent], world: World, vendor: ScriptedVendor
) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    vendor.script = stream([chunk_event("Hel")], linger=60)
    worker.headers[HEADER] = text
    line, answer = worker.open_stream(model=planner.route)
    assert b"Hel" in answer.read1(65536)
    world.change("UPDATE registry_agent SET suspended_at = now() WHERE id = %s", planner.row.pk)
    began = time.monotonic()
    rest = answer.read()
    assert time.monotonic() - began < 20  # the vendor would hold it for 60 s
    assert b"delegation_ended" in rest
    line.close()


@pytest.mark.parametrize("who", ["giver", "holder"])
def test_a_delegation_that_was_ended_holds_no_more_nor_what_came_of_it(
    make_agent: MakeAgent, who: str
) -> None:
    first = make_agent()
    second, third = (make_agent(routes=[first.route]) for _ in range(2))
    under = give(first, second)["delegation"]
    text = give(second, third, under)["delegation"]
    ender = first if who == "giver" else second
    got = ender.ask("DELETE", "/v1/delegations", None, **{HEADER: under})
    assert got.status == 200
    for agent, held in ((second, under), (third, text)):
        eventually(partial(is_refused, agent, held, first.route, "delegation_ended"))
    assert third.post("/v1/chat/completions", BODY | {"model": first.route}).status == 200


def test_a_stranger_ends_nothing(pair: tuple[Agent, Agent], make_agent: MakeAgent) -> None:
    planner, worker = pair
    text = give(planner, worker)["delegation"]
    got = make_agent().ask("DELETE", "/v1/delegations", None, **{HEADER: text})
    assert got.code == "delegation_invalid"
    assert planner.ask("DELETE", "/v1/delegations").code == "delegation_unreadable"
    assert call(worker, text, planner.route).status == 200


def _ring(document: str) -> PepperRing:
    said = json.loads(document)
    peppers = {name: bytes.fromhex(value) for name, value in said["peppers"].items()}
    return PepperRing(said["active"], peppers)


def _delegation(giver: Agent, holder: Agent, **over: Any) -> Delegation:
    now = int(time.time())
    given: dict[str, Any] = {
        "public_id": "dlg_x",
        "holder": holder.row.public_id,
        "links": (Link("dlg_x", giver.row.public_id, "run_x"),),
        "rights": Rights(frozenset({giver.route}), frozenset({"internal"})),
        "made_at": now,
        "expires_at": now + 60,
    }
    return Delegation(**given | over)
