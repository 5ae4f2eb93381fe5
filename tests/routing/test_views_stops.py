"""The emergency stop in the portal: first its reach, then its proof, and who may lift it."""

from __future__ import annotations

import pytest

from approvals.actions.deciding import decide_review
from approvals.models import Review
from registry.actors import Actor
from routing.models import Stop
from tests.factories import make_agent, make_cast, make_model, make_route, make_vendor

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast():
    return make_cast()


@pytest.fixture
def agent(cast):
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def place(client, scope, subject="", **more):
    return client.post(
        f"/stops/new/?scope={scope}&subject={subject}", {"reason": "It runs wild."} | more
    )


def test_a_stop_is_placed_proven_and_lifted_on_its_page(cast, agent, client):
    client.force_login(cast.sam)
    assert "Nothing is stopped" in client.get("/stops/").content.decode()
    page = client.get(f"/stops/new/?scope=agent&subject={agent.name}").content.decode()
    assert "Whom it hits" in page
    assert "alice@acme.test" in page
    done = place(client, "agent", agent.name)
    stop = Stop.objects.get()
    assert done.headers["Location"] == f"/stops/{stop.public_id}/?prove=1"
    assert "Asking every gateway" in client.get(done.headers["Location"]).content.decode()
    fragment = client.post(f"/stops/{stop.public_id}/prove/", headers={"HX-Request": "true"})
    assert "Contained in" in fragment.content.decode()
    client.post(f"/stops/{stop.public_id}/lift/", {"reason": "Fixed."})
    stop.refresh_from_db()
    assert stop.lifted_reason == "Fixed."
    page = client.get(f"/stops/{stop.public_id}/").content.decode()
    assert "lifted" in page
    assert str(cast.sam) in page
    assert "person:per_" not in page


def test_what_is_stopped_shows_where_it_matters(cast, agent, client):
    model = make_model(make_vendor("acme"), "acme-1")
    make_route("classify", model)
    client.force_login(cast.sam)
    for scope, name in (("agent", agent.name), ("vendor", "acme"), ("route", "classify")):
        assert place(client, scope, name).status_code == 302
    for address in ("/", f"/agents/{agent.name}/", "/vendors/acme/", "/routes/classify/"):
        page = client.get(address, follow=True).content.decode()
        assert "It runs wild." in page, address
    again = client.get(f"/stops/new/?scope=agent&subject={agent.name}")
    assert again.headers["Location"].startswith("/stops/stp_")


def test_everything_is_typed_out_and_lifted_by_two(cast, client):
    client.force_login(cast.sam)
    refused = place(client, "fleet")
    assert refused.status_code == 422
    assert not Stop.objects.exists()
    assert place(client, "fleet", typed="stop everything").status_code == 302
    stop = Stop.objects.get()
    lift = f"/stops/{stop.public_id}/lift/"
    client.post(lift, {"reason": "Closed."})
    review = Review.objects.get()
    assert "Two people lift it" in client.get(f"/stops/{stop.public_id}/").content.decode()
    decide_review(review.public_id, actor=Actor.of(cast.sue), decision="approve")
    assert "one more click" in client.get(f"/stops/{stop.public_id}/").content.decode()
    client.post(lift, {"reason": "Closed."})
    stop.refresh_from_db()
    assert not stop.is_in_force


def test_an_outsider_reads_and_changes_nothing(cast, agent, client):
    client.force_login(cast.sam)
    place(client, "agent", agent.name)
    stop = Stop.objects.get()
    client.force_login(cast.mallory)
    assert client.get(f"/stops/{stop.public_id}/").status_code == 200
    assert client.post(f"/stops/{stop.public_id}/lift/", {"reason": "x"}).status_code == 403
    assert client.post(f"/stops/{stop.public_id}/prove/").status_code == 403
    assert client.get("/stops/new/?scope=owner&subject=alice@acme.test").status_code == 403
    assert client.get("/stops/new/?scope=agent&subject=nobody").status_code == 422
    assert client.get("/stops/stp_none/").status_code == 404


def test_killing_an_agent_tells_whether_it_is_contained(cast, agent, client):
    client.force_login(cast.alice)
    taken = client.post(
        f"/agents/{agent.name}/end/kill/", {"typed": agent.name, "reason": "x"}, follow=True
    )
    assert "It is contained" in taken.content.decode()
