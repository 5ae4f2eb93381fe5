"""The status page of a link: what it shows, to whom, and all that it must not say."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from fleet.health.actions.attending import TOGETHER, attend
from fleet.health.actions.incidents import note_on_incident, open_incident, resolve_incident
from fleet.health.actions.publishing import MadeLink, make_status_link, revoke_status_link
from fleet.health.actions.summing import sum_days
from fleet.health.models import AgentHealth, HealthChange, Incident, StatusLink, TeamDay
from fleet.health.queries.lasting import lasted_by_agent, lasted_by_team
from fleet.health.uptime import Bar, shown, uptime
from fleet.health.visits import Visits
from kernel import clock, keys
from kernel.refs import Ref
from ledger.models import Entry
from registry.models import Agent, Team
from tests.factories import Cast, actor, browser_of, client_of, make_agent, make_cast
from tests.fleet.health.test_incidents import WORKER, sick

DAY = timedelta(days=1)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


@pytest.fixture(autouse=True)
def no_visits_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fleet.health.views.public._visits", Visits())


def link(cast: Cast, team: Team | None = None, **over: object) -> MadeLink:
    given = {"team": team, "shows_agents": False, "days": None, "actor": actor(cast.sam)} | over
    return make_status_link("Customers", **given)  # type: ignore[arg-type]


def path(made: MadeLink) -> str:
    return "/status/" + made.url.partition("/status/")[2]


def shown_by(made: MadeLink) -> str:
    answer = Client().get(path(made))
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_link_shows_counts_and_that_something_is_wrong_and_nothing_more(cast: Cast) -> None:
    agent = sick(cast)
    make_agent("well", owner=cast.mallory, stage="live")
    attend(actor=WORKER)
    note_on_incident(Incident.objects.get(), "The password is hunter2.", actor=actor(cast.alice))
    made = link(cast)
    page = shown_by(made)
    assert "An agent of Finance is down" in page
    assert "1 down" in page
    inner = (
        agent.name, agent.title, "503", "hunter2", "alice", "acme.test", agent.public_id,
        Incident.objects.get().public_id, made.row.public_id, made.row.name,
    )  # fmt: skip
    for secret in inner:
        assert secret not in page, secret
    named = shown_by(link(cast, shows_agents=True))
    assert f"{agent.title} is down" in named
    assert agent.public_id not in named


def test_a_link_to_a_team_says_nothing_of_others(cast: Cast) -> None:
    ours = [sick(cast, f"ours-{number}", "vendor:openai") for number in range(2)]
    theirs = [
        sick(cast, f"theirs-{number}", "vendor:openai") for number in range(TOGETHER)
    ]  # one incident of both teams
    Agent.objects.filter(pk__in=[each.pk for each in theirs]).update(team=cast.research)
    attend(actor=WORKER)
    assert Incident.objects.get().agent_count == TOGETHER + 2
    page = shown_by(link(cast, cast.finance, shows_agents=True))
    assert "2 agents are down" in page
    assert ours[0].title in page
    for other in (
        "Research",
        "openai",
        theirs[0].title,
        f"{TOGETHER + 2} agents",
        f"{TOGETHER} down",
    ):
        assert other not in page, other
    everything = shown_by(link(cast))
    assert f"{TOGETHER + 2} agents are down" in everything
    assert "openai" not in everything


def test_inner_affairs_are_not_shown(cast: Cast) -> None:
    agent = sick(cast)
    open_incident(
        key="cutover:x", kind="cutover", subject=Ref("cutover", "x"), agent=agent,
        title="Brought back from secret-model-9", facts={},
    )  # fmt: skip
    page = shown_by(link(cast, shows_agents=True))
    assert "secret-model-9" not in page
    assert "Brought back" not in page


def test_no_cookie_no_store_no_index_and_the_same_for_somebody_signed_in(cast: Cast) -> None:
    made, signed_in = link(cast), browser_of(cast.alice)
    with clock.held_at(clock.now()):
        stranger, known = Client().get(path(made)), signed_in.get(path(made))
    assert stranger.content == known.content
    for answer in (stranger, known):
        assert not answer.cookies
        assert answer["Cache-Control"] == "no-store"
        assert "noindex" in answer["X-Robots-Tag"]
        assert answer["Referrer-Policy"] == "no-referrer"
        assert "csrf" not in answer.content.decode()
    assert Client().post(path(made)).status_code == 405
    assert Client().head(path(made)).status_code == 200


def test_wrong_revoked_expired_and_foreign_tokens_have_one_answer(cast: Cast) -> None:
    revoked, expired, alive = link(cast), link(cast, days=1), link(cast)
    revoke_status_link(revoked.row, actor=actor(cast.pat))
    revoke_status_link(revoked.row, actor=actor(cast.pat))
    assert Entry.objects.filter(verb="status_link.revoked").count() == 1
    wrong = [
        path(revoked), f"/status/{keys.issue('usl').text}/", "/status/x/", "/status/%00/",
        f"{path(alive)[:-2]}x/", f"/status/{path(alive)[8:-1].upper()}/", f"/status/{'a' * 5000}/",
        f"/status/{alive.row.public_id}/", "/status/usl_é/",
    ]  # fmt: skip
    with clock.held_at(clock.now() + 2 * DAY):
        answers = [Client().get(each) for each in [*wrong, path(expired)]]
    assert {each.status_code for each in answers} == {404}
    assert len({each.content for each in answers}) == 1
    told = ("Cache-Control", "X-Robots-Tag", "Referrer-Policy", "Content-Length")
    assert len({tuple(each.get(name) for name in told) for each in answers}) == 1
    assert shown_by(alive)


def test_what_refuses_is_not_logged_by_its_path(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    made = link(cast)
    for _ in range(Visits.MOST):
        Client().get(path(made))
    revoke_status_link(made.row, actor=actor(cast.pat))
    Client().get(path(made))
    token = path(made).split("/")[2]
    assert token not in caplog.text


def test_an_address_that_looks_too_often_waits_and_others_do_not(cast: Cast) -> None:
    made, now = link(cast), datetime(2026, 11, 22, 12, tzinfo=UTC)
    with clock.held_at(now):
        guesses = [Client().get("/status/x/").status_code for _ in range(Visits.MOST + 2)]
        assert guesses == [404] * Visits.MOST + [429] * 2
        refused = Client().get(path(made))
        assert (refused.status_code, refused["Retry-After"]) == (429, "60")
        assert Client(REMOTE_ADDR="192.0.2.7").get(path(made)).status_code == 200
    with clock.held_at(now + timedelta(minutes=1)):
        assert Client().get(path(made)).status_code == 200


def test_a_link_that_is_revoked_shows_nothing_from_that_moment(cast: Cast) -> None:
    made = link(cast)
    with clock.held_at(clock.now()):
        assert Client().get(path(made)).status_code == 200
        revoke_status_link(made.row, actor=actor(cast.sam))
        assert Client().get(path(made)).status_code == 404  # though the page is still kept


def test_a_team_cannot_be_lost_from_under_its_link(cast: Cast) -> None:
    made = link(cast, cast.finance)
    for statement in (
        "UPDATE health_statuslink SET team_id = NULL WHERE id = %s",
        "UPDATE health_statuslink SET scope = 'fleet' WHERE id = %s",
    ):
        with (
            pytest.raises(IntegrityError, match="team_of_scope"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, [made.row.pk])
    Agent.objects.filter(team=cast.finance).update(team=cast.research)
    assert "Nothing is watched here" in shown_by(made)


def test_platform_and_security_make_them_and_others_do_not(cast: Cast) -> None:
    at = "/health/status-links/"
    for person in (cast.alice, cast.mallory):
        assert browser_of(person).get(at).status_code == 403
        assert client_of(person).get("/api/v1/status-links").status_code == 403
        body = {"name": "Customers"}
        assert (
            client_of(person).post("/api/v1/status-links", body, format="json").status_code == 403
        )
    assert browser_of(cast.ann).get(at).status_code == 200
    assert browser_of(cast.ann).post(at, {"name": "x"}).status_code == 403
    page = browser_of(cast.sam)
    made = page.post(at, {"name": "Customers", "team": "finance", "days": "30"})
    assert made.status_code == 200
    assert made["Cache-Control"] == "no-store"
    row = StatusLink.objects.get()
    assert (row.team, row.scope, row.shows_agents) == (cast.finance, "team", False)
    listed = page.get(at).content.decode()
    assert "/status/usl_" in made.content.decode()
    assert "/status/usl_" not in listed
    assert page.post(at, {"name": "", "team": "nowhere"}).status_code == 422
    assert browser_of(cast.ann).post(f"{at}{row.public_id}/revoke/").status_code == 403
    assert page.post(f"{at}{row.public_id}/revoke/").status_code == 302
    entry = Entry.objects.get(verb="status_link.made")
    assert b"Customers" not in bytes(entry.header)
    assert "Customers" in browser_of(cast.pat).get("/admin/health/statuslink/").content.decode()


def test_over_rest_a_link_is_made_once_shown_once_and_revoked(cast: Cast) -> None:
    at, client = "/api/v1/status-links", client_of(cast.pat)
    made = client.post(at, {"name": "Wall", "shows_agents": True}, format="json")
    assert made.status_code == 201
    url = made.json()["url"]
    one = client.get(at).json()["results"][0]
    assert "url" not in one
    assert one["last_used_at"] is None
    assert Client().get("/status/" + url.partition("/status/")[2]).status_code == 200
    assert client.get(at).json()["results"][0]["last_used_at"] is not None
    assert client.post(at, {"name": "Wall", "days": 0}, format="json").status_code == 422
    assert client.post(at, {"name": "Wall", "team": "nowhere"}, format="json").status_code == 422
    assert client.delete(f"{at}/{one['id']}").status_code == 204
    assert client.delete(f"{at}/nothing").status_code == 404
    assert bytes(StatusLink.objects.get().digest) not in url.encode()


def changed(agent: Agent, status: str, at: datetime) -> None:
    HealthChange.objects.create(agent=agent, at=at, before="unknown", status=status)


def watched(cast: Cast, name: str) -> Agent:
    agent = make_agent(name, owner=cast.alice, stage="live")
    AgentHealth.objects.create(agent=agent, since=clock.now(), is_watched=True, status="healthy",
                               rank=0)  # fmt: skip
    return agent


def test_days_are_counted_by_how_long_and_summed_when_they_are_over(cast: Cast) -> None:
    one, two, midnight = (
        watched(cast, "one"),
        watched(cast, "two"),
        datetime(2026, 11, 22, tzinfo=UTC),
    )
    today = midnight.date()
    changed(one, "healthy", midnight - 3 * DAY)
    changed(one, "down", midnight - 2 * DAY + timedelta(hours=6))
    changed(one, "degraded", midnight - 2 * DAY + timedelta(hours=12))
    changed(one, "healthy", midnight - 1 * DAY)
    changed(two, "healthy", midnight - 2 * DAY)
    changed(two, "unknown", midnight - 2 * DAY + timedelta(hours=1))
    before, day = cast.finance.public_id, today - 2 * DAY
    hour = 3600
    expected = Bar(day, healthy=7 * hour, degraded=12 * hour, down=6 * hour)
    with clock.held_at(midnight + timedelta(hours=12)):
        assert lasted_by_team([day]) == {(before, day): expected}
        by_agent = lasted_by_agent([two.pk], [day, today])
        assert by_agent == {(two.public_id, day): Bar(day, healthy=hour)}
        assert sum_days(actor=WORKER) == 90
        assert sum_days(actor=WORKER) == 0
        page = shown_by(link(cast))
    assert TeamDay.objects.get(day=day).down == 6 * hour
    with clock.held_at(midnight + 2 * DAY):
        assert sum_days(actor=WORKER) == 2
    assert f"{day:%-d %b %Y}: {shown(expected.up)}" in page


def test_what_held_at_midnight_is_the_last_change_before_however_it_is_looked_up(
    cast: Cast,
) -> None:
    one, today = watched(cast, "one"), clock.now().astimezone(UTC).date()
    midnight = datetime.combine(today, time(), UTC)
    for back, status in ((5, "healthy"), (4, "down"), (3, "healthy"), (2, "degraded")):
        changed(one, status, midnight - back * DAY)
    yesterday = today - DAY
    expected = {(one.public_id, yesterday): Bar(yesterday, degraded=86_400)}
    with connection.cursor() as cursor:
        for plan in ("enable_seqscan", "enable_indexscan", "enable_bitmapscan"):
            assert lasted_by_agent([one.pk], [yesterday]) == expected
            cursor.execute(f"SET LOCAL {plan} = off")
        assert lasted_by_agent([one.pk], [yesterday]) == expected


def test_less_than_all_is_never_shown_as_all() -> None:
    day = clock.now().date()
    assert shown(uptime([Bar(day, healthy=10**7, down=1)])) == "99.99 %"
    assert shown(uptime([Bar(day, healthy=5)])) == "100 %"
    assert shown(uptime([Bar(day)])) == "not known"
    looks = [
        Bar(day),
        Bar(day, 999, 0, 1),
        Bar(day, 990, 10),
        Bar(day, 90, 0, 10),
        Bar(day, 0, 0, 1),
    ]
    assert [bar.status for bar in looks] == ["unknown", "healthy", "degraded", "down", "down"]


def test_what_began_stands_under_its_day(cast: Cast) -> None:
    sick(cast)
    attend(actor=WORKER)
    begun = clock.now()
    resolve_incident(Incident.objects.get().key, why="The password was hunter2.")
    with clock.held_at(begun + 3 * DAY):
        page = shown_by(link(cast))
        assert f"{begun:%a %-d %b %Y}" in page
        assert "An agent of Finance is down" in page
        assert "hunter2" not in page
    with clock.held_at(begun + 20 * DAY):
        assert "An agent of Finance is down" not in shown_by(link(cast))
