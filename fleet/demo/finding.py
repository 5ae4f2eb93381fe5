"""What the demo company has not registered: a log, an inventory and two repositories say so.

The files are read by the readers that read anybody's; what is found is assigned, claimed,
merged and dismissed by the people of the company.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from fleet.demo.company import DOMAIN, FILES
from fleet.discovery.actions.deciding import (
    assign_finding,
    claim_finding,
    dismiss_finding,
    draft_of,
    merge_finding,
)
from fleet.discovery.actions.readings import carry_out_readings, take_upload
from fleet.discovery.actions.reports import take_report
from fleet.discovery.models import Finding
from kernel import clock
from registry.actors import Actor
from registry.models import Agent, Person

_READER: Final = Actor.system("discovery")
# What stands in the proxy's log: who called what, and how often.
_LINES: Final = (
    ("api.openai.com", f"luca.ferreira@{DOMAIN}", "10.4.1.20", 140),
    ("api.anthropic.com", f"theo.nakamura@{DOMAIN}", "10.4.7.31", 60),
    ("api.mistral.ai", f"lotte.rossi@{DOMAIN}", "10.4.9.12", 35),
)
_KEYS: Final = (
    ("key_nightly", "nightly-report", "hana.moreau", 3, True),
    ("key_scratch", "scratch", "former.colleague", 160, False),
)
_REPOSITORIES: Final = (
    ("sales/quote-bot", "langgraph", "langgraph.json", "o3", "quotes/graph.py", 41, "ingrid.sato"),
    ("ops/rota-helper", "crewai", "crew.yaml", "gpt-4.1-mini-2025-04-14", "crew.yaml", 7,
     "erik.bamba"),
)  # fmt: skip


def find(*, guard: Actor, operator: Actor) -> int:
    """Read what was seen, and have people decide about some of it; return how many were found.

    Records: what every action records. Raises: what any of them raises.
    """
    if Finding.objects.exists():
        return Finding.objects.count()
    now = clock.now()
    with clock.held_at(now - timedelta(days=6)):
        lines = "\n".join(_log()).encode()
        take_upload([lines], kind="squid", title=FILES[0], actor=guard)
        keys = json.dumps({"object": "list", "data": list(_inventory())}).encode()
        take_upload([keys], kind="openai", title=FILES[1], actor=guard)
        carry_out_readings(actor=_READER)
        for repository in _REPOSITORIES:
            take_report(_report(*repository), actor=operator)
    with clock.held_at(now - timedelta(days=4)):
        _decide(guard)
    return Finding.objects.count()


def _decide(guard: Actor) -> None:
    """Have one claimed, one merged, one waiting for its owner, one dismissed."""
    quotes = _finding("quote-bot")
    owner = _person("ingrid.sato")
    assign_finding(quotes, owner, actor=guard)
    quotes.refresh_from_db()
    claimed = claim_finding(
        quotes,
        draft_of(
            quotes,
            owner,
            name="quote-bot",
            title="Quote bot",
            route="chat",
            backup_owner=_person("dmitri.quist").email,
        ),
        actor=Actor.of(owner),
    )
    # Registered by a claim like anybody's agent, it goes with the demo all the same.
    Agent.objects.filter(pk=claimed.pk).update(is_demo=True)
    assign_finding(_finding("rota-helper"), _person("erik.bamba"), actor=guard)
    nightly = _finding("nightly-report")
    assign_finding(nightly, _person("hana.moreau"), actor=guard)
    nightly.refresh_from_db()
    merge_finding(
        nightly, Agent.objects.get(name="call-prep"), actor=guard, reason="It is its old key."
    )
    mistral = Finding.objects.filter(vendor__icontains="mistral").first()
    if mistral is not None:
        dismiss_finding(mistral, actor=guard, reason="A test of the network, asked for by us.")


def _log() -> Iterator[str]:
    now = clock.now()
    for host, user, address, calls in _LINES:
        for number in range(calls):
            at = (now - timedelta(hours=3 * number % 400, minutes=number)).timestamp()
            yield (
                f"{at:.3f} 812 {address} TCP_TUNNEL/200 {4000 + 7 * number} CONNECT"
                f" {host}:443 {user} HIER_DIRECT/192.0.2.7 -"
            )


def _inventory() -> Iterator[dict[str, Any]]:
    now = clock.now()
    for ident, name, owner, days, is_active in _KEYS:
        yield {
            "object": "organization.project.api_key",
            "id": ident,
            "name": name,
            "redacted_value": "sk-proj-...A1b2",
            "created_at": int((now - timedelta(days=300)).timestamp()),
            "last_used_at": int((now - timedelta(days=days)).timestamp()),
            "owner_project_access": "active" if is_active else "revoked",
            "owner": {
                "type": "user",
                "user": {"email": f"{owner}@{DOMAIN}", "name": owner.replace(".", " ").title()},
            },
        }


def _report(  # noqa: PLR0913, PLR0917  one line of the table above
    name: str, framework: str, sign: str, model: str, path: str, line: int, person: str
) -> dict[str, Any]:
    return {
        "format": "unsprawl.repository/1",
        "repository": f"https://git.{DOMAIN}/{name}.git",
        "files": 40,
        "signs": [{"kind": framework, "path": sign, "confidence": 0.95,
                   "name": name.rpartition("/")[2]}],
        "models": [{"id": model, "path": path, "line": line, "weak": False}],
        "keys": [],
        "people": [{"email": f"{person}@{DOMAIN}", "commits": 31}],
        "owners": [],
    }  # fmt: skip


def _finding(word: str) -> Finding:
    return Finding.objects.filter(title__icontains=word)[:1].get()


def _person(name: str) -> Person:
    return Person.objects.get(email=f"{name}@{DOMAIN}")
