"""The pages of vendors: who sees and changes what, and connecting one step by step."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from credentials.models import Secret
from routing.models import Model, Route, Vendor
from tests.factories import (
    Cast,
    actor,
    browser_of,
    make_agent,
    make_cast,
    make_model,
    make_route,
    make_vendor,
)

pytestmark = pytest.mark.django_db
CANARY = "sk-canary-71b0c3"
GOOD = {"ok": True, "http_status": 200, "milliseconds": 12, "error": "", "entry": "ent_1"}
ADDRESS = {
    "name": "llama", "title": "", "base_url": "http://127.0.0.1:8080/v1",
    "dialect": "openai", "auth_scheme": "bearer", "data_classes": ["public", "internal"],
    "regions": "eu",
}  # fmt: skip


@pytest.fixture
def cast() -> Cast:
    return make_cast()


@pytest.fixture
def gateway(httpserver, settings):
    settings.GATEWAY_INTERNAL_URL = httpserver.url_for("").rstrip("/")
    return httpserver


def seal(vendor, cast):
    from routing.actions.vendors import set_vendor_secret

    set_vendor_secret(vendor.name, CANARY, actor=actor(cast.pat))


@pytest.mark.parametrize("who", ["alice", "mallory"])
def test_everybody_sees_which_vendors_there_are_and_not_where(cast, who):
    make_vendor(base_url="https://hidden.example/v1")
    browser = browser_of(getattr(cast, who))
    for url in ("/vendors/", "/vendors/acme-ai/"):
        page = browser.get(url).content.decode()
        assert "acme-ai" in page
        assert "hidden.example" not in page
        assert "Secret" not in page


@pytest.mark.parametrize("who", ["sam", "ann", "pat"])
def test_those_who_govern_see_where_and_how_the_secret_stands(cast, who):
    vendor = make_vendor(base_url="https://seen.example/v1")
    seal(vendor, cast)
    browser = browser_of(getattr(cast, who))
    page = browser.get("/vendors/acme-ai/").content.decode()
    assert "seen.example" in page
    assert "version 1" in page
    assert CANARY not in page
    assert "version 1" in browser.get("/vendors/").content.decode()


@pytest.mark.parametrize("who", ["alice", "mallory", "ann"])
@pytest.mark.parametrize(
    "path", ["connect/", "acme-ai/setup/", "acme-ai/change/", "acme-ai/disable/"]
)
def test_forms_are_refused_to_those_who_may_not_send_them(cast, who, path):
    make_vendor()
    assert browser_of(getattr(cast, who)).get(f"/vendors/{path}").status_code == 403


@pytest.mark.parametrize("who", ["alice", "sam", "ann"])
@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("connect/", ADDRESS),
        ("acme-ai/secret/", {"value": CANARY}),
        ("acme-ai/secret/", {"value": ""}),
        ("acme-ai/test/", {}),
        ("acme-ai/enable/", {}),
        ("acme-ai/models/", {"more": "m"}),
        ("acme-ai/route/", {"name": "r", "model": "m"}),
        ("acme-ai/change/", ADDRESS),
    ],
)
def test_nothing_is_changed_by_those_who_may_not(cast, who, path, sent):
    make_vendor(auth_scheme="none")
    assert browser_of(getattr(cast, who)).post(f"/vendors/{path}", sent).status_code == 403
    assert Vendor.objects.count() == 1
    assert not Secret.objects.exists()
    assert not Model.objects.exists()


def test_a_vendor_is_connected_step_by_step_and_any_step_can_be_the_last(cast, gateway):
    pat = browser_of(cast.pat)
    assert "OpenAI" in pat.get("/vendors/connect/").content.decode()
    form = pat.get("/vendors/connect/?preset=llama-cpp").content.decode()
    assert "http://127.0.0.1:8080/v1" in form
    connected = pat.post("/vendors/connect/?preset=llama-cpp", ADDRESS)
    assert connected["Location"] == "/vendors/llama/setup/"

    setup = "/vendors/llama/setup/"
    assert "Seal the secret" in pat.get(setup).content.decode()
    sealed = pat.post("/vendors/llama/secret/", {"value": CANARY, "next": setup}, follow=True)
    assert "Test the connection" in sealed.content.decode()
    assert CANARY not in sealed.content.decode()

    vendor = Vendor.objects.get()
    gateway.expect_request(f"/internal/vendors/{vendor.public_id}/test").respond_with_json(
        {"ok": True, "models": ["llama-3", "llama-4"], "list": GOOD, "call": GOOD}
    )
    tested = pat.post("/vendors/llama/test/", {"next": setup}, follow=True)
    assert "llama-3" in tested.content.decode()
    assert "Which models may agents call?" in tested.content.decode()

    added = pat.post("/vendors/llama/models/", {"names": ["llama-3"], "more": "own-1"}, follow=True)
    assert "Give agents a name to call" in added.content.decode()
    assert set(Model.objects.values_list("name", flat=True)) == {"llama-3", "own-1"}

    made = pat.post("/vendors/llama/route/", {"name": "summarise", "model": "llama-3"})
    route = Route.objects.get()
    assert made["Location"] == f"/routes/{route.public_id}/"
    assert route.targets.get().region == "eu"
    assert "It is set up" in pat.get(setup).content.decode()


def test_a_vendor_of_the_other_dialect_is_connected_as_it_speaks(cast):
    pat = browser_of(cast.pat)
    form = pat.get("/vendors/connect/?preset=anthropic").content.decode()
    assert "https://api.anthropic.com/v1" in form
    said = {"base_url": "https://api.anthropic.com/v1", "name": "anthropic"}
    chosen = {"dialect": "anthropic", "auth_scheme": "x-api-key", "data_classes": ["internal"]}
    pat.post("/vendors/connect/?preset=anthropic", said | chosen)
    vendor = Vendor.objects.get()
    assert (vendor.dialect, vendor.auth_scheme) == ("anthropic", "x-api-key")
    assert vendor.profile == "anthropic"


def test_a_vendor_that_asks_for_no_secret_goes_on_to_the_test(cast):
    pat = browser_of(cast.pat)
    answer = pat.post("/vendors/connect/", ADDRESS | {"auth_scheme": "none"}, follow=True)
    assert "Does it answer?" in answer.content.decode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"base_url": "ftp://x"}, "must begin with https"),
        ({"name": "Not A Name"}, "lower-case letters"),
        ({"name": "acme-ai"}, "connected already"),
        ({"regions": "eu, <b>"}, "A region is a short word"),
        ({"base_url": ""}, "This field is required"),
    ],
)
def test_what_is_wrong_is_said_beside_the_field_and_nothing_is_lost(cast, wrong, said):
    make_vendor()
    answer = browser_of(cast.pat).post("/vendors/connect/?preset=other", ADDRESS | wrong)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert said in page
    assert 'value="public" id="id_data_classes_0" checked' in page or "checked" in page
    assert Vendor.objects.count() == 1


def test_a_failed_test_says_in_words_what_to_do(cast, gateway):
    vendor = make_vendor(auth_scheme="none")
    bad = {"ok": False, "http_status": 401, "milliseconds": 9, "error": "<b>no</b>", "entry": ""}
    gateway.expect_request(f"/internal/vendors/{vendor.public_id}/test").respond_with_json(
        {"ok": False, "models": [], "list": bad, "call": None}
    )
    page = browser_of(cast.pat).post("/vendors/acme-ai/test/", follow=True).content.decode()
    assert "The vendor refused the secret" in page
    assert "<b>no</b>" not in page


def test_a_gateway_that_does_not_answer_is_a_message(cast, settings):
    settings.GATEWAY_INTERNAL_URL = "http://127.0.0.1:1"
    make_vendor(auth_scheme="none")
    page = browser_of(cast.pat).post("/vendors/acme-ai/test/", follow=True).content.decode()
    assert "The gateway, which alone calls vendors, did not answer" in page


def test_a_new_address_asks_for_the_secret_again(cast):
    vendor = make_vendor()
    seal(vendor, cast)
    pat = browser_of(cast.pat)
    form = pat.get("/vendors/acme-ai/change/").content.decode()
    assert "needs the secret again" in form
    sent = ADDRESS | {"base_url": "https://other.example/v1", "platform": ""}
    page = pat.post("/vendors/acme-ai/change/", sent, follow=True).content.decode()
    assert "its secret was retired: enter it again" in page
    assert "It has no secret" in page


def test_whom_stopping_a_vendor_concerns_is_shown_before_it_is_done(cast):
    vendor = make_vendor()
    make_route("classify", make_model(vendor))
    manifest_routes = {"routes": ["classify"]}
    make_agent("sorter", owner=cast.alice, stage="live", **manifest_routes)
    sam = browser_of(cast.sam)
    page = sam.get("/vendors/acme-ai/disable/").content.decode()
    assert "sorter" in page
    assert "classify" in page
    assert sam.post("/vendors/acme-ai/disable/", {"reason": ""}).status_code == 422
    done = sam.post("/vendors/acme-ai/disable/", {"reason": "<i>leak</i>"}, follow=True)
    assert "every call to it is refused" in done.content.decode()
    assert "<i>leak</i>" not in done.content.decode()
    enabled = browser_of(cast.pat).post("/vendors/acme-ai/enable/", follow=True)
    assert "Calls go to acme-ai again" in enabled.content.decode()


def test_the_way_back_leads_nowhere_else(cast):
    make_vendor()
    sent = {"value": CANARY, "next": "https://evil.example/"}
    answer = browser_of(cast.pat).post("/vendors/acme-ai/secret/", sent)
    assert answer["Location"] == "/vendors/acme-ai/"


@pytest.mark.parametrize("path", ["/vendors/", "/vendors/acme-ai/", "/models/", "/routes/"])
def test_the_number_of_queries_does_not_grow(cast, path):
    vendor = make_vendor()

    def more(begin, end):
        for number in range(begin, end):
            make_vendor(f"v-{number}")
            make_route(f"r-{number}", make_model(vendor, f"m-{number}"))
            make_agent(f"a-{number}", owner=cast.alice, stage="live", routes=[f"r-{number}"])

    more(0, 5)
    pat = browser_of(cast.pat)
    pat.get(path)
    with CaptureQueriesContext(connection) as few:
        pat.get(path)
    more(5, 25)
    with CaptureQueriesContext(connection) as many:
        pat.get(path)
    assert len(many) == len(few)
