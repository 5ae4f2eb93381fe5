"""What gateways send to connected vendors is expected in logs; whoever hides behind them is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fleet.discovery.actions.readings import carry_out_readings, take_upload
from fleet.discovery.models import Finding, Reading
from fleet.discovery.queries.own import own_traffic
from fleet.discovery.readers.own import Own
from kernel import clock
from registry.actors import Actor
from routing.models import LiveGateway
from tests.factories import Cast, actor, browser_of, make_vendor

HOST = "api.openai.com"
OURS = Own(frozenset({"10.0.7.0/28", "2001:db8::7", "unsprawl-egress", "i-0gateway"}),
           frozenset({HOST}))  # fmt: skip


@pytest.mark.parametrize(
    ("user", "machine", "address", "is_ours"),
    [
        ("", "", "10.0.7.3", True), ("", "", "2001:DB8::7", True), ("", "", "10.0.7.99", False),
        ("unsprawl-egress", "", "10.9.9.9", True), ("Unsprawl-Egress", "", "", True),
        ("", "i-0gateway", "", True), ("", "i-0other", "10.0.7.3", True),
        ("ACME\\jana", "", "10.0.7.3", False), ("ACME\\jana", "i-0gateway", "10.0.7.3", False),
        ("", "", "not an address", False), ("", "", "", False), ("10.0.7.3", "", "", False),
    ],
)  # fmt: skip
def test_a_line_is_ours_by_its_sender_and_an_account_outweighs_an_address(
    user: str, machine: str, address: str, *, is_ours: bool
) -> None:
    assert OURS.is_ours(HOST, user=user, machine=machine, address=address) is is_ours
    assert not OURS.is_ours("api.groq.com", user=user, machine=machine, address=address)


def squid(address: str, host: str, user: str = "-") -> bytes:
    return (
        f"1763625600.1 90 {address} TCP_TUNNEL/200 4039 CONNECT {host}:443 {user}"
        " HIER_DIRECT/1.2.3.4 -\n"
    ).encode()


@pytest.mark.django_db
def test_the_gateways_own_lines_are_counted_and_are_no_findings(
    cast: Cast, settings: Any, tmp_path: Path
) -> None:
    settings.EXPORT_DIR, settings.EGRESS_SENDERS = tmp_path, ["10.1.1.1"]
    make_vendor("openai", base_url=f"https://{HOST}/v1")
    now = clock.now()
    for place, door in enumerate(("10.0.7.3:8001", "127.0.0.1:8001", "0.0.0.0:8001", "box:8001")):
        LiveGateway.objects.create(
            name=f"gateway:{place}", door=door, machine="m", pid=1, pid_since=1, started_at=now,
            seen_at=now,
        )  # fmt: skip
    assert own_traffic().senders == {"10.1.1.1", "10.0.7.3"}
    log = squid("10.0.7.3", HOST) * 3 + squid("10.1.1.1", HOST)
    log += squid("10.0.7.3", HOST, "jana") + squid("10.0.7.3", "api.groq.com")
    log += squid("10.0.9.9", HOST) + squid("127.0.0.1", HOST)
    reading = take_upload([log], kind="squid", title="a.log", actor=actor(cast.sam))

    carry_out_readings(actor=Actor.system("discovery"))

    reading.refresh_from_db()
    assert (reading.state, reading.ours, reading.understood) == ("done", 4, 4)
    assert Finding.objects.count() == 4
    page = browser_of(cast.sam).get(f"/unregistered/readings/{reading.public_id}/").content.decode()
    assert "4 of gateways here to connected vendors" in page
    assert Reading.objects.count() == 1
