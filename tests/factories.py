"""The smallest valid rows, through plain functions; what a test cares about it names itself.

Rows are made directly, so that a test of one action does not depend on another. The
people are always the same: alice owns, bob is her teammate, mallory is an outsider, sam
and sue guard security, pat runs the platform, and ann audits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from django.db import models
from django.test import Client
from rest_framework.test import APIClient

from kernel import clock, keys
from kernel.canonical import digest
from kernel.refs import new_id
from registry.actors import Actor
from registry.models import Agent, AgentKey, AgentVersion, Person, PersonToken, SimilarAgent, Team
from registry.pepper import pepper_ring
from routing.models import Budget, Call, Model, Route, RouteTarget, Run, Vendor

LONG = timedelta(days=30)
STAGES = ("draft", "in_review", "soft_launch", "live", "deprecated", "retired")


M = TypeVar("M", bound=models.Model)


def _inserted(row: M) -> M:
    """Insert a row without the admin's record of it, which costs more than the row."""
    type(row)._default_manager.bulk_create([row])
    return row


def make_team(name: str = "Finance", **over: Any) -> Team:
    slug = name.lower().replace(" ", "-")
    given = {"public_id": new_id("team"), "slug": slug, "name": name, "created_at": clock.now()}
    return _inserted(Team(**given | over))


def make_person(name: str = "", *roles: str, **over: Any) -> Person:
    name = name or f"person-{secrets.token_hex(4)}"
    given: dict[str, Any] = {
        "public_id": new_id("per"),
        "email": f"{name.lower()}@acme.test",
        "name": name.capitalize(),
        "roles": ["employee", *roles],
        "password": "!",
        "created_at": clock.now(),
    }
    return _inserted(Person(**given | over))


@dataclass(frozen=True)
class Cast:
    """The people of every story."""

    finance: Team
    research: Team
    alice: Person
    bob: Person
    mallory: Person
    sam: Person
    sue: Person
    pat: Person
    ann: Person


def make_cast() -> Cast:
    finance, research = make_team("Finance"), make_team("Research")
    return Cast(
        finance=finance,
        research=research,
        alice=make_person("alice", team=finance),
        bob=make_person("bob", team=finance),
        mallory=make_person("mallory", team=research),
        sam=make_person("sam", "security"),
        sue=make_person("sue", "security"),
        pat=make_person("pat", "platform"),
        ann=make_person("ann", "auditor"),
    )


def make_manifest(name: str = "invoice-sorter", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "unsprawl.dev/v1",
        "kind": "Agent",
        "metadata": {
            "name": name,
            "title": name.replace("-", " ").capitalize(),
            "description": f"What {name} does.",
        },
        "spec": {
            "version": "1.0.0",
            "owner": "user:alice@acme.test",
            "backupOwner": "user:bob@acme.test",
            "dataClasses": ["internal"],
            "models": [{"alias": "default", "route": "sandbox"}],
        }
        | spec,
    }


# The database lets an agent take these steps only.
_LIVE = ["in_review", "soft_launch", "live"]
_WAY_TO = {
    "draft": [],
    "in_review": _LIVE[:1],
    "soft_launch": _LIVE[:2],
    "live": _LIVE,
    "deprecated": [*_LIVE, "deprecated"],
    "retired": [*_LIVE, "deprecated", "retired"],
}


def make_agent(name: str = "invoice-sorter", *, owner: Person | None = None, **over: Any) -> Agent:
    """Make a draft with its first version proposed; ``stage`` moves it, accepted, further."""
    owner = owner or make_person()
    stage = over.pop("stage", "draft")
    manifest = over.pop("manifest", None) or make_manifest(name)
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("agt"),
        "name": name,
        "title": manifest["metadata"]["title"],
        "description": manifest["metadata"]["description"],
        "owner": owner,
        "team": owner.team,
        "data_classes": manifest["spec"]["dataClasses"],
        "routes": [model["route"] for model in manifest["spec"]["models"]],
        "stage": "draft",
        "stage_changed_at": now,
        "created_at": now,
    }
    agent = _inserted(Agent(**given | over))
    version = make_version(agent, manifest)
    if stage not in {"draft", "in_review"}:
        AgentVersion.objects.filter(pk=version.pk).update(state="accepted", settled_at=now)
        Agent.objects.filter(pk=agent.pk).update(current_version=version)
    for step in _WAY_TO[stage]:
        retired_at = now if step == "retired" else None
        Agent.objects.filter(pk=agent.pk).update(stage=step, retired_at=retired_at)
    agent.refresh_from_db()
    return agent


def make_version(agent: Agent, manifest: dict[str, Any], **over: Any) -> AgentVersion:
    given: dict[str, Any] = {
        "public_id": new_id("ver"),
        "agent": agent,
        "number": agent.versions.count() + 1,
        "version": manifest["spec"]["version"],
        "manifest": manifest,
        "digest": digest(manifest),
        "state": "proposed",
        "source": "api",
        "created_by": str(agent.owner.ref),
        "created_at": clock.now(),
    }
    return _inserted(AgentVersion(**given | over))


def make_similar(agent: Agent, other: Agent, score: float, *reasons: str) -> SimilarAgent:
    return SimilarAgent.objects.create(
        agent=agent, other=other, score=score, reasons=list(reasons) or ["same words"]
    )


def make_key(agent: Agent, **over: Any) -> tuple[AgentKey, str]:
    """Make a key of an agent; returns the row and the text that the agent would hold."""
    credential = keys.issue(keys.AGENT_PREFIX)
    ring, now = pepper_ring(), clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("key"),
        "agent": agent,
        "key_id": credential.key_id,
        "pepper_id": ring.active,
        "digest": ring.hash(credential.text),
        "created_by": str(agent.owner.ref),
        "created_at": now,
        "expires_at": now + LONG,
    }
    return _inserted(AgentKey(**given | over)), credential.text


def make_token(
    person: Person, roles: Iterable[str] | None = None, **over: Any
) -> tuple[PersonToken, str]:
    """Make a token of a person, with all their roles or some; returns the row and its text."""
    credential = keys.issue(keys.PERSON_PREFIX)
    ring, now = pepper_ring(), clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("tok"),
        "person": person,
        "name": "test",
        "pepper_id": ring.active,
        "digest": ring.hash(credential.text),
        "roles": list(person.roles if roles is None else roles),
        "created_at": now,
        "expires_at": now + LONG,
    }
    return _inserted(PersonToken(**given | over)), credential.text


def make_vendor(name: str = "acme-ai", **over: Any) -> Vendor:
    given: dict[str, Any] = {
        "public_id": new_id("ven"),
        "name": name,
        "dialect": "openai",
        "base_url": f"https://{name}.example/v1",
        "created_at": clock.now(),
    }
    return _inserted(Vendor(**given | over))


def make_model(vendor: Vendor | None = None, name: str = "acme-1", **over: Any) -> Model:
    given: dict[str, Any] = {
        "public_id": new_id("mod"),
        "vendor": vendor or make_vendor(),
        "name": name,
        "created_at": clock.now(),
    }
    return _inserted(Model(**given | over))


def make_route(name: str = "sandbox", *models: Model, **over: Any) -> Route:
    """Make a route to these models, each tried after the one before it."""
    now = clock.now()
    given = {"public_id": new_id("rte"), "name": name, "created_at": now, "changed_at": now}
    route = _inserted(Route(**given | over))
    for priority, model in enumerate(models or (make_model(),)):
        RouteTarget.objects.create(route=route, model=model, priority=priority)
    return route


def make_budget(**over: Any) -> Budget:
    """Make a budget of what everybody may spend in a month."""
    now = clock.now()
    given: dict[str, Any] = {
        "public_id": new_id("bud"),
        "subject_kind": "organisation",
        "measure": "cost",
        "period": "month",
        "cap": 100_000_000,
        "currency": "USD",
        "created_by": "system:test",
        "created_at": now,
        "changed_at": now,
    }
    return _inserted(Budget(**given | over))


def make_run(agent: Agent, label: str = "nightly", **over: Any) -> Run:
    given = {"run_id": new_id("run"), "label": label, "started_at": clock.now()}
    return Run.objects.create(**given | {"agent_id": agent.public_id} | over)


def make_call(agent: Agent, **over: Any) -> Call:
    """Make a priced call that went well, of a run of its own unless one is named."""
    given: dict[str, Any] = {
        "intent_id": new_id("ent"),
        "run_id": new_id("run"),
        "agent_id": agent.public_id,
        "route": "sandbox",
        "requested_model": "sandbox",
        "vendor": "acme-ai",
        "model": "acme-1",
        "status": "ok",
        "http_status": 200,
        "input_tokens": 10,
        "output_tokens": 5,
        "cost_micros": 100,
        "started_at": clock.now(),
        "duration_ms": 20,
    }
    return _inserted(Call(**given | over))


def actor(person: Person, *roles: str) -> Actor:
    """Act as a person, with all their roles or only those named."""
    return Actor.of(person, roles or None)


def operator() -> Actor:
    return Actor.system("operator")


def client_of(person: Person | None = None, roles: Iterable[str] | None = None) -> APIClient:
    """Return a REST client with a token of this person, or an anonymous one."""
    client = APIClient()
    if person is not None:
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(person, roles)[1]}")
    return client


def make_exchange(
    agent: Agent,
    run: Run,
    sent: bytes = b'{"messages": []}',
    answered: bytes | None = b"{}",
    tag: str = "",
    **more: Any,
) -> str:
    """Put one call of a run on the record, with what was said; no answer leaves it in flight."""
    from ledger.custody import seal_payload
    from ledger.entries import Fields
    from ledger.record import append
    from ledger.subjects import scope_of
    from ledger.verbs import Verb

    scope = scope_of(agent.public_id, tag)
    facts = {"route": "sandbox", "vendor": "acme-ai", "model": "acme-1", **more}

    def entry(kind: str, verb: Verb, said: bytes, intent_id: str | None) -> str:
        entry_id = new_id("ent")
        fields = Fields(
            kind=kind,
            verb=str(verb),
            actor=agent.ref,
            subject=agent.ref,
            recorded_at=clock.now(),
            agent_id=agent.public_id,
            facts=dict(facts),
            payload=seal_payload(said, entry_id, agent_id=scope, data_class="internal"),
            entry_id=entry_id,
            intent_id=intent_id,
        )
        append(fields, stream=run.run_id)
        return entry_id

    intent = entry("intent", Verb.CALL_INTENDED, sent, None)
    if answered is not None:
        entry("result", Verb.CALL_COMPLETED, answered, intent)
    return intent


def browser_of(person: Person | None = None) -> Client:
    """Return a browser in which this person is signed in, or nobody."""
    client = Client()
    if person is not None:
        client.force_login(person)
    return client
