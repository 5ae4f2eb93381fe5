"""A run asked again of another target: who may, what is asked, going on, cancelling, the pages."""

from __future__ import annotations

import base64
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from kernel.refs import Ref
from ledger.models import DataKey, Entry
from ledger.retention.shredding import shred
from registry.actors import Actor, RoleMissing
from routing.actions.reevaluating import (
    cancel_reevaluation,
    carry_out,
    carry_out_waiting,
    reevaluate,
)
from routing.actions.trials import PATH
from routing.errors import GatewayUnreachable, NothingToReevaluate, TargetNotFound
from routing.internal import HEADER, InternalKeys
from routing.models import Reevaluation, Run
from tests.factories import (
    Cast,
    browser_of,
    make_agent,
    make_call,
    make_cast,
    make_exchange,
    make_model,
    make_run,
    make_vendor,
)

pytestmark = pytest.mark.django_db(transaction=True)
SWEEP = Actor.system("re-evaluation")


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture
def agent(cast: Cast) -> Any:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


@pytest.fixture
def target() -> str:
    model = make_model(make_vendor("acme-ai"), "acme-9")
    model.input_micros_per_mtok, model.output_micros_per_mtok = 1_000_000, 2_000_000
    model.save(update_fields=["input_micros_per_mtok", "output_micros_per_mtok"])
    return "acme-ai/acme-9"


@pytest.fixture
def run(agent: Any) -> Run:
    made = make_run(agent, "nightly")
    for number in range(3):
        sent = json.dumps({"messages": [{"role": "user", "content": f"say {number}"}]}).encode()
        intent = make_exchange(agent, made, sent, operation="chat")
        make_call(agent, run_id=made.run_id, intent_id=intent, input_tokens=10, output_tokens=5)
    return made


class Gateway:
    """What stands in the gateway's place on a real socket: it notes, and puts on record."""

    def __init__(self, server: HTTPServer, agent: Any, keys: InternalKeys) -> None:
        self.asked: list[dict[str, Any]] = []
        self.status = "ok"
        self._agent = agent
        self._keys = keys
        server.expect_request(PATH, method="POST").respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        raw = request.get_data()
        assert self._keys.accepts(request.headers[HEADER], "POST", PATH, raw)
        said = json.loads(raw)
        self.asked.append(said)
        told = {"entry": "ent_x", "status": self.status, "error": "", "detail": ""}
        return Response(json.dumps(told), content_type="application/json")

    def put_on_record(self) -> None:
        for said in self.asked:
            run = Run.objects.get(run_id=said["run"])
            make_exchange(self._agent, run, base64.b64decode(said["body"]), of=said["of"])


@pytest.fixture
def gateway(httpserver: HTTPServer, agent: Any, settings: Any) -> Gateway:
    settings.GATEWAY_INTERNAL_URL = httpserver.url_for("").rstrip("/")
    return Gateway(httpserver, agent, InternalKeys.load(settings.KEYS_DIR))


def test_every_recorded_call_is_asked_once_as_it_stood(
    cast: Cast, run: Run, target: str, gateway: Gateway
) -> None:
    made = reevaluate(run.run_id, target, actor=Actor.of(cast.alice))
    assert (made.state, made.steps, made.estimate_micros) == ("running", 3, 60)
    made = carry_out(made, actor=SWEEP)
    assert (made.state, made.done, made.failed) == ("done", 3, 0)
    assert made.ended_at is not None
    texts = [json.loads(base64.b64decode(one["body"])) for one in gateway.asked]
    assert sorted(one["messages"][0]["content"] for one in texts) == ["say 0", "say 1", "say 2"]
    assert {one["run"] for one in gateway.asked} == {made.new_run_id}
    assert {one["target"]["model"] for one in gateway.asked} == {"acme-9"}
    requested = Entry.objects.get(verb="run.reevaluated")
    assert json.loads(bytes(requested.header))["facts"]["effects"] == "blocked"
    assert Entry.objects.filter(verb="payload.read").count() == 1


def test_whose_data_a_call_carried_goes_with_it(
    cast: Cast, agent: Any, target: str, gateway: Gateway
) -> None:
    run, tag = make_run(agent, "Mr Gruber"), "sub_" + "7" * 26
    body = json.dumps({"messages": [{"role": "user", "content": "he owes 99"}]}).encode()
    intent = make_exchange(agent, run, body, tag=tag, operation="chat")
    make_call(agent, run_id=run.run_id, intent_id=intent)
    made = carry_out(reevaluate(run.run_id, target, actor=Actor.of(cast.pat)), actor=SWEEP)
    assert made.done == 1
    assert [one["tag"] for one in gateway.asked] == [tag]
    assert "Gruber" not in Run.objects.get(run_id=made.new_run_id).label


def test_one_that_was_broken_off_goes_on_where_the_record_ends(
    cast: Cast, run: Run, target: str, gateway: Gateway
) -> None:
    made = reevaluate(run.run_id, target, actor=Actor.of(cast.pat))
    carry_out(made, actor=SWEEP)
    done, gateway.asked = gateway.asked, gateway.asked[:2]
    gateway.put_on_record()
    Reevaluation.objects.update(state="running", ended_at=None)
    gateway.asked = []
    assert carry_out_waiting(actor=SWEEP) == 1
    assert [one["of"] for one in gateway.asked] == [done[2]["of"]]
    made.refresh_from_db()
    assert (made.state, made.done) == ("done", 3)


def test_a_cancelled_one_asks_nothing_more(
    cast: Cast, run: Run, target: str, gateway: Gateway
) -> None:
    actor = Actor.of(cast.alice)
    made = cancel_reevaluation(reevaluate(run.run_id, target, actor=actor), actor=actor)
    assert made.state == "cancelled"
    assert carry_out(made, actor=SWEEP).state == "cancelled"
    assert gateway.asked == []
    assert Entry.objects.filter(verb="run.reevaluation_cancelled").count() == 1


def test_calls_that_were_not_answered_are_counted(
    cast: Cast, run: Run, target: str, gateway: Gateway
) -> None:
    gateway.status = "refused"
    made = carry_out(reevaluate(run.run_id, target, actor=Actor.of(cast.sam)), actor=SWEEP)
    assert (made.state, made.failed) == ("done", 3)


def test_a_gateway_that_is_away_leaves_it_waiting(
    cast: Cast, run: Run, target: str, settings: Any
) -> None:
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:9"
    made = reevaluate(run.run_id, target, actor=Actor.of(cast.alice))
    with pytest.raises(GatewayUnreachable):
        carry_out(made, actor=SWEEP)
    assert carry_out_waiting(actor=SWEEP) == 1
    made.refresh_from_db()
    assert made.state == "running"


def test_one_that_can_be_read_no_more_ends_as_failed_and_says_so(
    cast: Cast, run: Run, target: str, gateway: Gateway, tmp_path: Any, settings: Any
) -> None:
    settings.SHREDS_DIR = tmp_path / "shreds"
    made = reevaluate(run.run_id, target, actor=Actor.of(cast.alice))
    keys = sorted(DataKey.objects.values_list("dek_id", flat=True))
    with transaction.atomic():
        shred(keys, why="request", subject=Ref("erasure", "ers_1"), actor=Ref("person", "per_s"))
    assert carry_out_waiting(actor=SWEEP) == 1
    made.refresh_from_db()
    assert (made.state, made.done, made.ended_at is None) == ("failed", 0, False)
    assert gateway.asked == []
    said = json.loads(bytes(Entry.objects.get(verb="run.reevaluation_failed").header))["facts"]
    assert said["code"] == "routing.nothing_to_reevaluate"
    assert carry_out_waiting(actor=SWEEP) == 0
    page = browser_of(cast.alice).get(f"/runs/{run.run_id}/re-evaluate/").content.decode()
    assert "Failed" in page


def test_the_new_runs_page_leads_back_to_the_run_that_was_asked_again(
    cast: Cast, run: Run, target: str
) -> None:
    made = reevaluate(run.run_id, target, actor=Actor.of(cast.alice))
    page = browser_of(cast.alice).get(f"/runs/{made.new_run_id}/").content.decode()
    assert f'href="/runs/{run.run_id}/"' in page
    assert f'href="/runs/{run.run_id}/diff/{made.new_run_id}/"' in page
    assert (
        "asked again of" not in browser_of(cast.alice).get(f"/runs/{run.run_id}/").content.decode()
    )


def test_it_is_for_those_who_answer_for_the_agent_and_those_who_govern(
    cast: Cast, run: Run, target: str
) -> None:
    for who in (cast.alice, cast.bob, cast.sam, cast.pat):
        assert reevaluate(run.run_id, target, actor=Actor.of(who)).state == "running"
    with pytest.raises(RoleMissing):
        reevaluate(run.run_id, target, actor=Actor.of(cast.ann))


def test_what_is_not_there_is_said(cast: Cast, run: Run, target: str, agent: Any) -> None:
    actor = Actor.of(cast.alice)
    for name in ("none", "acme-ai/none", "", "\x00"):
        with pytest.raises(TargetNotFound):
            reevaluate(run.run_id, name, actor=actor)
    with pytest.raises(NothingToReevaluate):
        reevaluate(make_run(agent, "empty").run_id, target, actor=actor)


def test_the_page_shows_the_cost_before_it_begins_and_how_far_it_is(
    cast: Cast, run: Run, target: str
) -> None:
    browser, address = browser_of(cast.alice), f"/runs/{run.run_id}/re-evaluate/"
    assert target in browser.get(address).content.decode()
    page = browser.get(address, {"target": target}).content.decode()
    assert "3 calls" in page
    assert "Begin" in page
    assert not Reevaluation.objects.exists()
    assert browser.post(address, {"target": target}).status_code == 302
    made = Reevaluation.objects.get()
    page = browser.get(address).content.decode()
    assert "0 of 3 asked" in page
    assert f"/diff/{made.new_run_id}/" in page
    assert browser.get(f"/runs/{run.run_id}/diff/{made.new_run_id}/").status_code == 200
    browser.post(f"/re-evaluations/{made.public_id}/cancel/")
    made.refresh_from_db()
    assert made.state == "cancelled"
    assert browser_of(cast.mallory).get(address).status_code == 404
    assert browser_of(cast.ann).post(address, {"target": target}).status_code == 403


def test_rest_begins_shows_and_cancels(cast: Cast, run: Run, target: str) -> None:
    browser, address = browser_of(cast.alice), f"/api/v1/runs/{run.run_id}/re-evaluations"
    answer = browser.post(address, {"target": target}, content_type="application/json")
    assert answer.status_code == 202
    made = answer.json()
    assert (made["run"], made["state"], made["steps"]) == (run.run_id, "running", 3)
    assert [one["id"] for one in browser.get(address).json()["results"]] == [made["id"]]
    one = f"/api/v1/re-evaluations/{made['id']}"
    assert browser.get(one).json()["done"] == 0
    assert browser_of(cast.mallory).get(one).status_code == 404
    assert browser.delete(one).json()["state"] == "cancelled"


def test_the_command_asks_and_compares(run: Run, target: str, gateway: Gateway) -> None:
    call_command(
        "re_evaluate", run.run_id, "--model", target, "--preview", stdout=(out := StringIO())
    )
    assert "0.000060" in out.getvalue()
    call_command("re_evaluate", run.run_id, "--model", target, stdout=(out := StringIO()))
    assert "done: 3 of 3 answered" in out.getvalue()
