"""The pages of models, of the catalogue and of routes: who sees, who changes, and what it means."""

from __future__ import annotations

from datetime import timedelta

import pytest

from kernel import clock
from routing.models import LifecycleRow, Model, Route
from tests.factories import (
    Cast,
    browser_of,
    make_agent,
    make_call,
    make_cast,
    make_model,
    make_route,
    make_vendor,
)

pytestmark = pytest.mark.django_db
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def day(ahead):
    return clock.now().date() + timedelta(days=ahead)


def row(model_id, **over):
    given = {
        "platform": "openai", "model_id": model_id, "canonical_id": model_id,
        "loaded_at": clock.now(), "source_url": "https://source.example/page",
    }  # fmt: skip
    return LifecycleRow.objects.create(**given | over)


@pytest.mark.parametrize("who", ["alice", "mallory", "sam", "ann", "pat"])
def test_everybody_sees_models_their_ends_and_whom_they_concern(cast, who):
    model = make_model(retires_on=day(20), replacement="acme-2")
    make_route("classify", model)
    make_agent("sorter", owner=cast.alice, stage="live", routes=["classify"])
    browser = browser_of(getattr(cast, who))
    listed = browser.get("/models/").content.decode()
    assert "20 days" in listed
    assert "acme-2" in listed
    page = browser.get(f"/models/{model.public_id}/").content.decode()
    assert "20 days left" in page
    assert "sorter" in page
    assert ("Change" in page) is (who == "pat")
    assert ("Disable" in page) is (who in {"pat", "sam"})


def test_models_are_narrowed_by_when_they_end(cast):
    vendor = make_vendor()
    for name, ends in (("soon", 10), ("later", 100), ("gone", -5), ("free", None)):
        make_model(vendor, name, retires_on=None if ends is None else day(ends))
    alice = browser_of(cast.alice)

    def listed(window):
        page = alice.get("/models/", {"window": window}).content.decode()
        table = page[page.index('id="results"') :]
        return [name for name in ("soon", "later", "gone", "free") if f">{name}<" in table]

    assert listed("") == ["soon", "later", "gone", "free"]
    assert listed("30") == ["soon"]
    assert listed("180") == ["soon", "later"]
    assert listed("past") == ["gone"]
    assert listed("unknown") == ["free"]
    assert listed("' OR 1=1") == ["soon", "later", "gone", "free"]


def test_the_catalogue_begins_with_what_is_ahead_and_finds_the_rest(cast):
    row("ends-soon", retires_on=day(9))
    row("ended", retires_on=day(-90))
    row("elsewhere", platform="azure", retires_on=None)
    alice = browser_of(cast.alice)
    page = alice.get("/models/catalogue/").content.decode()
    assert "ends-soon" in page
    assert ">ended<" not in page
    assert ">ended<" in alice.get("/models/catalogue/", {"search": "ended"}).content.decode()
    azure = alice.get("/models/catalogue/", {"platform": "azure"}).content.decode()
    assert "elsewhere" in azure
    assert "ends-soon" not in azure


def test_only_an_https_source_becomes_a_link(cast):
    row("a", source_url="javascript:alert(1)")
    row("b", source_url='https://x.example/"><script>alert(1)</script>')
    page = browser_of(cast.alice).get("/models/catalogue/").content.decode()
    assert 'href="javascript:' not in page
    assert HOSTILE not in page


def test_a_price_is_set_with_its_source_and_given_back(cast):
    model = make_model()
    pat, url = browser_of(cast.pat), f"/models/{model.public_id}/change/"
    sent = {
        "input_micros_per_mtok": "1.5",
        "output_micros_per_mtok": "0",
        "price_source": "contract",
    }
    assert pat.post(url, sent).status_code == 302
    model.refresh_from_db()
    assert (model.input_micros_per_mtok, model.output_micros_per_mtok) == (1_500_000, 0)
    assert model.price_source == "contract"
    form = pat.get(url).content.decode()
    assert 'value="1.5"' in form
    assert 'value="0"' in form
    assert pat.post(url, {}).status_code == 302
    model.refresh_from_db()
    assert model.input_micros_per_mtok is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"input_micros_per_mtok": "-1"},
        {"input_micros_per_mtok": "NaN"},
        {"retires_on": "soon"},
        {"deprecated_on": "2027-01-02", "retires_on": "2027-01-01"},
    ],
)
def test_a_wrong_price_or_date_is_said_beside_it(cast, wrong):
    model = make_model()
    answer = browser_of(cast.pat).post(f"/models/{model.public_id}/change/", wrong)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()


@pytest.mark.parametrize("who", ["alice", "mallory", "ann"])
def test_models_and_routes_are_not_changed_by_those_who_may_not(cast, who):
    model = make_model()
    route = make_route("classify", model)
    browser = browser_of(getattr(cast, who))
    for url in (
        f"/models/{model.public_id}/change/",
        f"/models/{model.public_id}/disable/",
        f"/routes/{route.public_id}/change/",
        f"/routes/{route.public_id}/disable/",
        "/routes/new/",
    ):
        assert browser.get(url).status_code == 403
        assert browser.post(url, {"reason": "x"}).status_code == 403
    assert Model.objects.get().disabled_at is None
    assert Route.objects.get().disabled_at is None


def test_a_model_is_stopped_with_a_reason_and_started_again(cast):
    model = make_model()
    url = f"/models/{model.public_id}"
    sam, pat = browser_of(cast.sam), browser_of(cast.pat)
    assert sam.post(f"{url}/disable/", {"reason": ""}).status_code == 422
    assert (
        "no call goes there"
        in sam.post(f"{url}/disable/", {"reason": "leak"}, follow=True).content.decode()
    )
    again = sam.post(f"{url}/disable/", {"reason": "leak"})
    assert again.status_code == 422
    assert "disabled already" in again.content.decode()
    assert "again" in pat.post(f"{url}/enable/", follow=True).content.decode()


@pytest.mark.parametrize(
    "url", ["/models/mod_x/", "/models/%00/", "/routes/nothing/", "/routes/%00/"]
)
def test_what_is_not_there_is_not_there(cast, url):
    assert browser_of(cast.pat).get(url).status_code == 404


def test_models_that_answered_under_another_name_are_listed_for_those_who_see_the_calls():
    cast = make_cast()
    agent = make_agent("swapped", owner=cast.alice)
    for _ in range(2):
        make_call(agent, reported_model="cheap-1", is_substituted=True)
    make_call(agent, reported_model="acme-1-2026-01-01")
    page = browser_of(cast.alice).get("/models/answered-as/").content.decode()
    assert "cheap-1" in page
    assert "acme-1-2026-01-01" not in page
    assert "cheap-1" not in browser_of(cast.mallory).get("/models/answered-as/").content.decode()
