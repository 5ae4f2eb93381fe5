"""What agents do, on the home page: counted for whom it concerns, and linked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals.models import Channel
from credentials.models import Lease
from effects.models import Demotion
from fleet.queries.acting import acting_for
from kernel import clock
from tests.effects.launch.acting import Acts
from tests.factories import Cast, actor, browser_of, make_agent, make_cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cast, now = make_cast(), clock.now()
    payer = make_agent("payer", owner=cast.alice, backup_owner=cast.bob, stage="soft_launch")
    acts = Acts(payer)
    acts.made(state="proposed")
    acts.made(state="proposed", at=now - timedelta(days=9))  # nobody answered in time
    acts.made(state="denied")
    acts.made(state="denied", at=now - timedelta(days=8))
    acts.made(state="unknown", decided_digest="sha256:a")
    acts.made(state="succeeded", decided_digest="sha256:a")
    Demotion.objects.create(
        public_id="dem_1", agent=payer, rule="launch.errors", reason="x", figures={},
        demoted_at=now,
    )  # fmt: skip
    Channel.objects.create(
        public_id="chn_1", name="old-desk", kind="mail", failures=2, added_by="x", added_at=now
    )
    Lease.objects.create(
        public_id="lse_1", connection="connection:con_x", agent_id=payer.public_id, kind="static",
        proposal_id="prp_x", handle="h", state="irrevocable", goal="revoked", issued_at=now,
        expires_at=now + timedelta(minutes=5),
    )  # fmt: skip
    return cast


@pytest.mark.parametrize(
    ("who", "kinds"),
    [
        ("alice", {"waiting", "denied", "unknown", "demoted"}),
        ("bob", {"waiting", "denied", "unknown", "demoted"}),
        ("mallory", set()),
        ("sam", {"waiting", "denied", "unknown", "demoted", "channels", "leases"}),
        ("ann", {"waiting", "denied", "unknown", "demoted", "channels", "leases"}),
    ],
)
def test_each_sees_what_concerns_them_counted(cast: Cast, who: str, kinds: set[str]) -> None:
    found = acting_for(actor(getattr(cast, who)))
    assert {each.kind: each.count for each in found} == dict.fromkeys(kinds, 1)


def test_the_page_leads_there(cast: Cast) -> None:
    page = browser_of(cast.sam).get("/").content.decode()
    for said, path in {
        "1 action of which nobody knows the end": "/effects/unknown/",
        "1 proposal waits for people": "/proposals/?state=proposed",
        "1 channel fails": "/channels/",
        "1 lease that could not be ended": "/leases/?state=irrevocable",
        "1 agent put back to soft launch": "/agents/payer/",
    }.items():
        assert said in page
        assert f'href="{path}"' in page
    hers = browser_of(cast.alice).get("/").content.decode()
    assert "/proposals/?state=unknown" in hers
    assert "channel fails" not in hers
