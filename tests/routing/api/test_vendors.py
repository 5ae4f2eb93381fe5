"""Vendors, models and routes over REST: who sees what, and what a wrong request is told."""

from __future__ import annotations

import pytest
import time_machine

from routing.actions.catalogue import load_shipped_catalogue
from routing.models import Route, Vendor
from tests.factories import (
    Cast,
    client_of,
    make_cast,
    make_model,
    make_route,
    make_vendor,
    operator,
)

pytestmark = pytest.mark.django_db
SECRET = "sk-test-0123456789-not-a-real-one"
VENDOR = {"name": "acme-ai", "dialect": "openai", "base_url": "http://127.0.0.1:9000/v1"}


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def pat(cast):
    return client_of(cast.pat)


def test_the_outside_contract_from_vendor_to_route(pat):
    made = pat.post("/api/v1/vendors", VENDOR)
    assert made.status_code == 201
    assert made.json()["notes"] == [
        "The address is on this machine or in a private network.",
        "http:// is not encrypted.",
    ]
    sealed = pat.put("/api/v1/vendors/acme-ai/secret", {"value": SECRET})
    assert (sealed.status_code, sealed.content) == (204, b"")
    added = pat.post(
        "/api/v1/vendors/acme-ai/models",
        {"name": "acme-1", "input_usd_per_mtok": "2.50", "output_usd_per_mtok": 10},
    )
    assert added.status_code == 201
    assert added.json()["input_micros_per_mtok"] == 2_500_000
    assert added.json()["output_usd_per_mtok"] == "10"
    targets = [{"vendor": "acme-ai", "model": "acme-1", "weight": 1, "priority": 0}]
    route = pat.put("/api/v1/routes/classify-invoice", {"targets": targets})
    assert (route.status_code, route["ETag"]) == (201, '"1"')
    again = pat.put("/api/v1/routes/classify-invoice", {"targets": targets, "constraints": {}})
    assert (again.status_code, again["ETag"]) == (200, '"1"')
    listed = pat.get("/api/v1/models").json()
    assert [row["name"] for row in listed["results"]] == ["acme-1"]


def test_the_secret_cannot_be_read_anywhere(pat):
    pat.post("/api/v1/vendors", VENDOR)
    pat.put("/api/v1/vendors/acme-ai/secret", {"value": SECRET})
    assert pat.get("/api/v1/vendors/acme-ai/secret").status_code == 405
    for address in ("/api/v1/vendors", "/api/v1/vendors/acme-ai"):
        assert SECRET.encode() not in pat.get(address).content
    shown = pat.get("/api/v1/vendors/acme-ai").json()["secret"]
    assert (shown["version"], shown["hint"]) == (1, SECRET[-4:])


def test_a_refused_secret_is_not_repeated(pat):
    make_vendor()
    answer = pat.put("/api/v1/vendors/acme-ai/secret", {"value": "my secret\nline"})
    assert answer.status_code == 422
    assert b"my secret" not in answer.content


@pytest.mark.parametrize("who", ["alice", "bob", "mallory", "sam", "ann"])
def test_everybody_sees_vendors_and_only_the_platform_changes_them(cast, who):
    make_route("sandbox", make_model())
    client = client_of(getattr(cast, who))
    assert client.get("/api/v1/vendors").json()["results"][0]["name"] == "acme-ai"
    assert client.get("/api/v1/routes/sandbox").json()["targets"][0]["model"] == "acme-1"
    model = client.get("/api/v1/models").json()["results"][0]["id"]
    body = {"targets": [{"vendor": "acme-ai", "model": "acme-1"}]}
    for method, address, given in (
        ("post", "/api/v1/vendors", VENDOR),
        ("patch", "/api/v1/vendors/acme-ai", {"title": "x"}),
        ("put", "/api/v1/vendors/acme-ai/secret", {"value": SECRET}),
        ("post", "/api/v1/vendors/acme-ai/models", {"name": "m"}),
        ("post", "/api/v1/vendors/acme-ai/enable", {}),
        ("post", "/api/v1/vendors/acme-ai/test", {}),
        ("patch", f"/api/v1/models/{model}", {"context_tokens": 5}),
        ("put", "/api/v1/routes/other", body),
        ("post", "/api/v1/routes/sandbox/enable", {}),
    ):
        answer = getattr(client, method)(address, given)
        assert (answer.status_code, answer.json()["code"]) == (403, "registry.role_missing")


def test_where_a_vendor_is_reached_is_for_those_who_govern(cast):
    make_vendor(last_test={"ok": True, "models": [], "steps": []})
    hidden = client_of(cast.alice).get("/api/v1/vendors/acme-ai").json()
    assert (hidden["base_url"], hidden["secret"], hidden["last_test"]) == (None, None, None)
    for who in (cast.sam, cast.pat, cast.ann):
        shown = client_of(who).get("/api/v1/vendors/acme-ai").json()
        assert shown["base_url"] == "https://acme-ai.example/v1"
        assert shown["last_test"]["ok"] is True


def test_a_token_narrowed_to_employee_is_an_employee(cast):
    client = client_of(cast.pat, ["employee"])
    assert client.post("/api/v1/vendors", VENDOR).status_code == 403


@pytest.mark.parametrize(
    "address", ["vendors", "vendors/x", "models", "routes", "routes/x", "runs", "calls", "usage"]
)
def test_nobody_without_a_credential_sees_anything(db, address):
    assert client_of().get(f"/api/v1/{address}").status_code == 401


def test_security_stops_a_vendor_a_model_and_a_route_with_a_reason(cast):
    make_route("sandbox", make_model())
    sam = client_of(cast.sam)
    assert sam.post("/api/v1/vendors/acme-ai/disable", {}).json()["code"] == (
        "routing.reason_missing"
    )
    stopped = sam.post("/api/v1/vendors/acme-ai/disable", {"reason": "leak"})
    assert stopped.json()["disabled_reason"] == "leak"
    assert sam.post("/api/v1/vendors/acme-ai/disable", {"reason": "leak"}).status_code == 409
    model = sam.get("/api/v1/models").json()["results"][0]["id"]
    assert sam.post(f"/api/v1/models/{model}/disable", {"reason": "leak"}).status_code == 200
    assert sam.delete("/api/v1/routes/sandbox").status_code == 204
    assert Route.objects.get().disabled_at is not None


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**VENDOR, "colour": "red"}, 422, "kernel.invalid"),
        ({**VENDOR, "name": 5}, 422, "kernel.invalid"),
        ({**VENDOR, "base_url": "https://u:p@x.example"}, 422, "routing.address_unusable"),
        ({**VENDOR, "base_url": "ftp://x.example"}, 422, "routing.address_unusable"),
        ({**VENDOR, "dialect": "soap"}, 422, "routing.vendor_invalid"),
        ({"name": "x"}, 422, "kernel.invalid"),
        ([VENDOR], 422, "kernel.invalid"),
    ],
)
def test_a_wrong_vendor_is_refused_with_its_reason(pat, body, status, code):
    answer = pat.post("/api/v1/vendors", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer["Content-Type"] == "application/problem+json"
    assert Vendor.objects.count() == 0


def test_broken_json_is_refused(pat):
    for raw in (b"{", b'{"name": "a", "name": "b"}', b'{"name": NaN}', b"\xff"):
        answer = pat.generic("POST", "/api/v1/vendors", raw, content_type="application/json")
        assert answer.status_code == 400


def test_a_vendor_is_connected_once_and_an_unknown_one_says_which_there_are(pat):
    pat.post("/api/v1/vendors", VENDOR)
    assert pat.post("/api/v1/vendors", VENDOR).json()["code"] == "routing.vendor_exists"
    missing = pat.get("/api/v1/vendors/nobody").json()
    assert (missing["code"], missing["known"]) == ("routing.vendor_not_found", ["acme-ai"])


def test_a_changed_address_says_that_the_secret_is_gone(pat):
    pat.post("/api/v1/vendors", VENDOR)
    pat.put("/api/v1/vendors/acme-ai/secret", {"value": SECRET})
    changed = pat.patch("/api/v1/vendors/acme-ai", {"base_url": "https://new.example/v1"}).json()
    assert changed["notes"][-1].startswith("The address changed, so its secret was retired")
    assert changed["secret"] is None


def test_an_address_can_be_looked_at_first(pat):
    seen = pat.post("/api/v1/vendor-address", {"base_url": "acme.openai.azure.com"}).json()
    assert seen["base_url"] == "https://acme.openai.azure.com/openai/v1"
    assert seen["platform"] == "azure"


def test_models_are_taken_one_or_several(pat):
    make_vendor()
    several = pat.post("/api/v1/vendors/acme-ai/models", [{"name": "a"}, {"name": "b"}])
    assert [row["name"] for row in several.json()] == ["a", "b"]
    wrong = pat.post("/api/v1/vendors/acme-ai/models", [{"name": "c"}, {"name": "a"}])
    assert (wrong.status_code, wrong.json()["models"]) == (409, ["a"])
    listed = pat.get("/api/v1/vendors/acme-ai/models?ordering=name").json()["results"]
    assert [row["name"] for row in listed] == ["a", "b"]


@pytest.mark.parametrize(
    "price", ["-1", "NaN", "Infinity", "1.1234567", "9999999999", "cheap", True, [1]]
)
def test_a_price_that_is_none_is_refused(pat, price):
    make_vendor()
    given = {"name": "m", "input_usd_per_mtok": price}
    assert pat.post("/api/v1/vendors/acme-ai/models", given).status_code == 422


def test_models_that_retire_soon_are_found_and_the_whole_catalogue_too(pat):
    load_shipped_catalogue(actor=operator())
    make_vendor("openai", platform="openai")
    pat.post("/api/v1/vendors/openai/models", [{"name": "gpt-5"}, {"name": "gpt-6-luna"}])
    soon_here = "/api/v1/models?retiring_before=2026-12-31&catalogue=configured"
    soon = pat.get(soon_here).json()["results"]
    assert [(row["name"], row["retires_on"]) for row in soon] == [("gpt-5", "2026-12-11")]
    assert soon[0]["replacement"].startswith("gpt-6.1")
    assert soon[0]["lifecycle_source"].startswith("catalogue: https://")
    every = pat.get("/api/v1/models").json()["results"]
    assert [row["name"] for row in every] == ["gpt-5", "gpt-6-luna"]
    page = pat.get("/api/v1/models?catalogue=all&page_size=200&platform=openai").json()
    following = pat.get(page["next"]).json()["results"] if page["next"] else []
    names = [row["name"] for row in page["results"] + following]
    assert len(names) == len(set(names)) > 150
    assert pat.get("/api/v1/models?retiring_before=soon").status_code == 422


@time_machine.travel("2026-11-21", tick=False)
def test_what_retires_before_a_day_is_asked_of_the_whole_catalogue(pat):
    load_shipped_catalogue(actor=operator())
    rows = pat.get("/api/v1/models?retiring_before=2026-12-12&page_size=200").json()["results"]
    assert {"gpt-5", "o3", "gemini-2.5-pro"} <= {row["name"] for row in rows}
    assert all("2026-11-21" <= row["retires_on"] < "2026-12-12" for row in rows)
    assert all(row["source"] or row["obtained_via"] for row in rows)


def test_a_vendor_behind_a_proxy_is_known_by_the_name_people_gave_it(pat):
    load_shipped_catalogue(actor=operator())
    given = {"name": "openai", "dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    assert pat.post("/api/v1/vendors", given).json()["platform"] == "openai"
    model = pat.post("/api/v1/vendors/openai/models", {"name": "gpt-5"}).json()
    assert model["retires_on"] == "2026-12-11"
    given = {"name": "acme", "dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}
    assert pat.post("/api/v1/vendors", given).json()["platform"] == ""


def test_a_model_is_priced_by_hand_and_given_back(pat):
    load_shipped_catalogue(actor=operator())
    make_vendor("openai", platform="openai")
    model = pat.post("/api/v1/vendors/openai/models", {"name": "gpt-5"}).json()
    address = f"/api/v1/models/{model['id']}"
    changed = pat.patch(address, {"input_usd_per_mtok": "0.5", "price_source": "contract"}).json()
    assert (changed["input_micros_per_mtok"], changed["price_source"]) == (500_000, "contract")
    nothing = dict.fromkeys(
        ("input_usd_per_mtok", "output_usd_per_mtok", "cached_input_usd_per_mtok")
    )
    assert (
        pat.patch(address, nothing).json()["input_micros_per_mtok"]
        == (model["input_micros_per_mtok"])
    )


def test_a_route_read_before_it_moved_is_not_overwritten(pat):
    make_model()
    body = {"targets": [{"vendor": "acme-ai", "model": "acme-1"}]}
    pat.put("/api/v1/routes/a/b", body)
    second = pat.put("/api/v1/routes/a/b", {**body, "title": "New"}, HTTP_IF_MATCH='"1"')
    assert (second.status_code, second["ETag"]) == (200, '"2"')
    third = pat.put("/api/v1/routes/a/b", {**body, "title": "Late"}, HTTP_IF_MATCH='"1"')
    assert (third.status_code, third.json()["code"]) == (409, "routing.route_moved")
    assert pat.put("/api/v1/routes/a/b", body, HTTP_IF_MATCH="one").status_code == 422


def test_a_route_to_nowhere_says_what_there_is(pat):
    make_model()
    body = {"targets": [{"vendor": "acme-ai", "model": "gpt-99"}]}
    refused = pat.put("/api/v1/routes/x", body).json()
    assert refused["code"] == "routing.route_invalid"
    assert "it serves: acme-1" in refused["detail"]
    wrong = pat.put("/api/v1/routes/x", {"targets": [{"vendor": "acme-ai"}]}).json()
    assert wrong["code"] == "kernel.invalid"
    missing = pat.get("/api/v1/routes/x").json()
    assert missing["code"] == "routing.route_not_found"


def test_a_stopped_route_is_started_again(pat):
    make_route("a/b", make_model())
    stopped = pat.post("/api/v1/routes/a/b/disable", {"reason": "wrong"}).json()
    assert stopped["disabled_at"]
    assert pat.post("/api/v1/routes/a/b/enable").json()["disabled_at"] is None
    assert pat.post("/api/v1/routes/a/b/enable").status_code == 409


def test_lists_cost_a_constant_number_of_queries(pat, django_assert_max_num_queries):
    vendor = make_vendor()
    make_route("r0", make_model(vendor, "m0"))
    for address in ("vendors", "models", "routes"):
        pat.get(f"/api/v1/{address}")
    for number in range(1, 12):
        make_route(f"r{number}", make_model(vendor, f"m{number}"))
    for address in ("vendors", "models", "routes"):
        with django_assert_max_num_queries(4):
            assert len(pat.get(f"/api/v1/{address}").json()["results"]) >= 1


def test_a_route_says_over_rest_how_far_it_goes_for_an_answer(pat):
    make_model()
    target = {"vendor": "acme-ai", "model": "acme-1", "first_byte_ms": 2000}
    options = {"retries": 1, "deadline_ms": 30000, "fallback_on": ["429", "5xx"]}
    body = {"targets": [target], "options": options}
    assert pat.put("/api/v1/routes/classify", body).status_code == 201
    shown = pat.get("/api/v1/routes/classify").json()
    assert shown["options"] == options
    assert shown["targets"][0]["first_byte_ms"] == 2000
    assert shown["targets"][0]["canary_percent"] is None
    said = {"targets": shown["targets"], "options": shown["options"]}
    assert pat.put("/api/v1/routes/classify", said)["ETag"] == '"1"'


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"retires": 1}, "retires"),
        ({"retries": 9}, "retries"),
        ({"fallback_on": ["never"]}, "options.fallback_on"),
        ({"deadline_ms": 1}, "deadline_ms"),
    ],
)
def test_an_option_that_would_not_work_is_named(pat, options, field):
    make_model()
    body = {"targets": [{"vendor": "acme-ai", "model": "acme-1"}], "options": options}
    refused = pat.put("/api/v1/routes/classify", body)
    assert refused.status_code in {400, 422}
    assert field in refused.content.decode()


def test_a_target_passes_its_gate_over_rest(cast):
    make_route("a/b")
    pat = client_of(cast.pat)
    body = {"vendor": "acme-ai", "model": "acme-1", "passed": True, "reason": "tried"}
    shown = pat.post("/api/v1/routes/a/b/eval-gate", body, format="json").json()
    assert [(one["model"], one["reason"]) for one in shown["passed"]] == [("acme-1", "tried")]
    shown = pat.post("/api/v1/routes/a/b/eval-gate", body | {"passed": False}, format="json").json()
    assert shown["passed"] == []
    assert client_of(cast.alice).post("/api/v1/routes/a/b/eval-gate", body).status_code == 403
