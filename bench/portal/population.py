"""Ten thousand agents in seconds: rows copied in, past the actions, consistent with each other.

Owns the volume. What pages count ahead (days, months, totals, uses) is summed from the
rows here as the sweep would have summed it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bench.bulk import Bulk
from bench.ledger.chains import Chain, copy_links, note_writer
from bench.portal import company
from bench.portal.company import Shape
from kernel import clock
from kernel.refs import Ref, new_id
from ledger.entries import Fields, Link


@dataclass
class Population:
    """What has been loaded so far, by number; primary keys are numbers from one."""

    bulk: Bulk
    people: list[str] = field(default_factory=list)  # public ids
    agents: list[str] = field(default_factory=list)
    served: list[tuple[str, str]] = field(default_factory=list)  # vendor and model of a route
    now: datetime = field(default_factory=clock.now)

    # --- what agents stand on

    def add_company(self, agents: int) -> None:
        """Add teams, people, vendors, models and routes for so many agents."""
        days = timedelta(days=400)
        self.bulk.run("DELETE FROM registry_person")  # the one that the first start made
        self.bulk.copy(
            "registry_team",
            ("id", "public_id", "slug", "name", "created_at"),
            [
                (n, new_id("team"), f"team-{n:02d}", f"Team {n:02d}", self.now - days)
                for n in range(1, company.TEAMS + 1)
            ],
        )
        number = max(4, agents // company.AGENTS_A_PERSON) + 1
        self.people = [new_id("per") for _ in range(number)]
        self.bulk.copy(
            "registry_person",
            ("id", "public_id", "email", "name", "team_id", "roles", "password", "time_zone",
             "created_at"),
            map(self._person, range(number)),
        )  # fmt: skip
        self._add_routes()
        note_writer(self.bulk)

    def _person(self, n: int) -> tuple[Any, ...]:
        # The last one governs and owns nothing; everybody else owns agents.
        governs = n == len(self.people) - 1
        roles = ["employee", "security", "platform"] if governs else ["employee"]
        name = f"{'Governing' if governs else 'Owner'} Person {n:04d}"
        return (
            n + 1, self.people[n], email(n), name, n % company.TEAMS + 1, roles, f"!{n}", "UTC",
            self.now - timedelta(days=400),
        )  # fmt: skip

    def _add_routes(self) -> None:
        found = self.bulk.rows(
            "SELECT platform, model_id, max(retires_on) FROM routing_lifecyclerow WHERE is_current"
            " GROUP BY 1, 2 ORDER BY (max(retires_on) > current_date) DESC NULLS LAST, 1, 2"
        )
        by_platform: dict[str, list[tuple[str, Any]]] = {}
        for platform, model, end in found:
            by_platform.setdefault(platform, []).append((model, end))
        chosen = sorted(by_platform, key=lambda name: -len(by_platform[name]))[: company.PLATFORMS]
        for platform in chosen:
            (vendor,) = self._insert_vendor(platform)
            for model, end in by_platform[platform][: company.MODELS_A_PLATFORM]:
                self._insert_model(vendor, model, end)
                self.served.append((platform, model))
        ids = [row[0] for row in self.bulk.rows("SELECT id FROM routing_model ORDER BY id")]
        self.served = [
            (vendor, name)
            for vendor, name in self.bulk.rows(
                "SELECT v.name, m.name FROM routing_model m"
                " JOIN routing_vendor v ON v.id = m.vendor_id ORDER BY m.id"
            )
        ]
        for n in range(company.ROUTES):
            route = self.bulk.rows(
                "INSERT INTO routing_route (public_id, name, title, constraints, revision,"
                " created_at, changed_at) VALUES (%s, %s, '', '{}', 1, %s, %s) RETURNING id",
                new_id("rte"), company.route_name(n), self.now, self.now,
            )[0][0]  # fmt: skip
            for priority in range(2):
                self.bulk.run(
                    "INSERT INTO routing_routetarget (route_id, model_id, region, weight, priority)"
                    " VALUES (%s, %s, '', 100, %s)",
                    route, ids[(n + priority) % len(ids)], priority,
                )  # fmt: skip

    def _insert_vendor(self, platform: str) -> tuple[int]:
        return self.bulk.rows(
            "INSERT INTO routing_vendor (public_id, name, title, platform, dialect, base_url,"
            " auth_scheme, regions, data_classes, disabled_reason, created_at) VALUES"
            " (%s, %s, %s, %s, 'openai', 'https://models.example/v1', 'bearer', '{}',"
            " '{public,internal,confidential,personal}', '', %s) RETURNING id",
            new_id("ven"), platform, platform.capitalize(), platform, self.now,
        )[0]  # fmt: skip

    def _insert_model(self, vendor: int, name: str, end: Any) -> None:
        self.bulk.run(
            "INSERT INTO routing_model (public_id, vendor_id, name, currency,"
            " input_micros_per_mtok, output_micros_per_mtok, price_source, retires_on, replacement,"
            " lifecycle_source, lifecycle_as_of, created_at) VALUES"
            " (%s, %s, %s, 'USD', 1000000, 2000000, '', %s, '', '', '', %s)",
            new_id("mod"), vendor, name, end, self.now,
        )  # fmt: skip

    # --- agents

    def add_agents(self, upto: int) -> None:
        """Add the agents that are missing up to a number, with all that hangs on each."""
        new = range(len(self.agents), upto)
        self.agents += [new_id("agt") for _ in new]
        self.bulk.copy(
            "registry_agent",
            ("id", "public_id", "name", "title", "description", "purpose", "owner_id",
             "backup_owner_id", "team_id", "risk_tier", "data_classes", "routes", "tools", "stage",
             "stage_changed_at", "suspended_at", "suspended_reason", "retired_at",
             "current_version_id", "created_at"),
            map(self._agent, new),
        )  # fmt: skip
        self.bulk.copy(
            "registry_agentversion",
            ("id", "public_id", "agent_id", "number", "version", "manifest", "digest", "state",
             "source", "created_by", "created_at", "settled_at"),
            map(self._version, new),
        )  # fmt: skip
        self.bulk.copy(
            "registry_agentkey",
            ("public_id", "agent_id", "key_id", "pepper_id", "digest", "created_by", "created_at",
             "expires_at"),
            (self._key(n) for n in new if Shape(n).is_callable),
        )  # fmt: skip
        self._add_reviews(new)
        links = [each for n in new for each in self._history(n)]
        copy_links(self.bulk, links)
        ends = {each.stream: each for each in links}
        self.bulk.copy(
            "ledger_chainhead",
            ("stream", "writer", "seq", "leaf_hash"),
            ((stream, end.writer, end.seq, end.leaf_hash) for stream, end in ends.items()),
        )

    def owner_of(self, n: int) -> int:
        return n % (len(self.people) - 1)

    def _agent(self, n: int) -> tuple[Any, ...]:
        shape, owner, born = Shape(n), self.owner_of(n), self._born(n)
        stopped = self.now - timedelta(days=n % 30) if shape.is_suspended else None
        retired = self.now - timedelta(days=5) if shape.stage == "retired" else None
        accepted = None if shape.stage in {"draft", "in_review"} else n + 1
        return (
            n + 1, self.agents[n], shape.name, shape.title, shape.description, shape.description,
            owner + 1, self.owner_of(n + 1) + 1, owner % company.TEAMS + 1,
            ("low", "medium", "high")[n % 3], shape.data_classes, [shape.route], shape.tools,
            shape.stage, born + timedelta(days=20), stopped,
            "Sent what its route may not see." if stopped else "", retired, accepted, born,
        )  # fmt: skip

    def _version(self, n: int) -> tuple[Any, ...]:
        shape, born = Shape(n), self._born(n)
        proposed = shape.stage in {"draft", "in_review"}
        return (
            n + 1, new_id("ver"), n + 1, 1, "1.0.0", json.dumps(self._manifest(n)),
            f"sha256:{n:064x}", "proposed" if proposed else "accepted", "form",
            f"person:{self.people[self.owner_of(n)]}", born,
            None if proposed else born + timedelta(days=1),
        )  # fmt: skip

    def _manifest(self, n: int) -> dict[str, Any]:
        owner = self.owner_of(n)
        team = f"team-{owner % company.TEAMS + 1:02d}"
        return company.manifest(Shape(n), email(owner), email(self.owner_of(n + 1)), team)

    def _key(self, n: int) -> tuple[Any, ...]:
        born = self._born(n) + timedelta(days=2)
        return (
            new_id("key"), n + 1, f"bench{n:08d}", "pep_bench", os.urandom(32), "system:bench",
            born, self.now + timedelta(days=1 + n % 300),
        )  # fmt: skip

    def _born(self, n: int) -> datetime:
        return self.now - timedelta(days=30 + n % 330, seconds=n)

    def _history(self, n: int) -> Iterator[Link]:
        agent = Ref("agent", self.agents[n])
        owner = Ref("person", self.people[self.owner_of(n)])
        chain = Chain(str(agent), "app")
        verbs = ["agent.registered", "agent.submitted", "agent.launched", "key.issued"]
        for step, verb in enumerate(verbs if Shape(n).is_callable else verbs[:2]):
            yield chain.add(
                Fields(
                    kind="change",
                    verb=verb,
                    actor=owner,
                    subject=agent,
                    recorded_at=self._born(n) + timedelta(hours=step),
                    agent_id=self.agents[n],
                    facts={"name": Shape(n).name, "version": "1.0.0"},
                )
            )

    # --- reviews

    def _add_reviews(self, new: range) -> None:
        asked = [n for n in new if Shape(n).stage != "draft"]
        self.bulk.copy(
            "approvals_review",
            ("id", "public_id", "kind", "subject", "subject_name", "digest", "question",
             "justification", "evidence", "requester_id", "excluded", "audience", "quorum",
             "asked_by", "about_agent", "operation", "stakes", "escalate_to", "edited_digest",
             "state", "created_at", "expires_at", "settled_at", "redeemed_at"),
            map(self._review, asked),
        )  # fmt: skip
        self.bulk.copy(
            "approvals_reviewdecision",
            ("review_id", "decider_id", "decision", "digest", "is_edited", "comment", "created_at"),
            (
                (
                    n + 1,
                    len(self.people),
                    "approve",
                    f"sha256:{n:064x}",
                    False,
                    "Checked with the team.",
                    self._born(n),
                )
                for n in asked
                if Shape(n).stage != "in_review"
            ),
        )

    def _review(self, n: int) -> tuple[Any, ...]:
        shape, owner, born = Shape(n), self.owner_of(n), self._born(n)
        waits = shape.stage == "in_review"
        asked_at = self.now - timedelta(days=n % 6, seconds=n) if waits else born
        settled = None if waits else born + timedelta(days=1)
        evidence = {"manifest": self._manifest(n), "data_classes": shape.data_classes}
        return (
            n + 1, new_id("rev"), "registration", f"agent:{self.agents[n]}", shape.name,
            f"sha256:{n:064x}", f"May {shape.title} run?", "It saves the team two hours a day.",
            json.dumps(evidence), owner + 1, [self.people[owner]],
            ["role:security"], 1, f"person:{self.people[owner]}", self.agents[n],
            "", "usual", [], "",
            "open" if waits else "approved", asked_at, asked_at + timedelta(days=7), settled,
            settled,
        )  # fmt: skip


def email(n: int) -> str:
    """Name a person."""
    return f"person{n:04d}@acme.example"
