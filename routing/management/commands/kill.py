"""Stop a key, an agent, an owner's or a team's agents, a model, a vendor, a route, or everything.

Needs PostgreSQL and this shell; web, worker and broker may be down. Whoever has this shell
is the operator and is recorded as such. Exits 0 when it is contained, 1 when it is not (the
paths are named), 2 when the stop was refused.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from kernel.errors import DomainError
from registry.actors import Actor
from routing.actions.containing import SECONDS, contain_stop
from routing.actions.stops import place_stop
from routing.containment.paths import BEYOND, CONTAINED, Evidence
from routing.containment.reach import Reach, reach_of
from routing.errors import StopInForce
from routing.models import Stop
from routing.queries.stops import stop_for, subject_for

NO_DATABASE: Final = (
    "PostgreSQL cannot be reached, so nothing was written. While it is away every gateway refuses"
    " all calls: within a second, because its rules are stale. Open streams run on until they"
    " end; ending the gateway processes ends those. Run this again when PostgreSQL is back,"
    " before you let the gateways go on."
)
_MARKS: Final = {CONTAINED: "ok  ", BEYOND: "note"}


class Command(BaseCommand):
    help = "Stop a key, agent, owner, team, model, vendor, route or the fleet, and prove it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scope", choices=Stop.Scope.values)
        parser.add_argument(
            "name", nargs="?", default="",
            help="key_…, an agent's, team's, vendor's or route's name, an owner's e-mail,"
            " vendor/model; nothing for the fleet",
        )  # fmt: skip
        parser.add_argument("--reason", default="", help="why; others will ask")
        parser.add_argument("--dry-run", action="store_true", help="say what it would hit")
        parser.add_argument(
            "--seconds", type=float, default=SECONDS, help=f"to prove it in ({SECONDS:.0f})"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(**options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from None
        except (DatabaseError, InterfaceError):
            raise CommandError(NO_DATABASE, returncode=1) from None

    def _handle(self, **options: Any) -> None:
        actor, scope, name = Actor.system("operator"), options["scope"], options["name"]
        if options["dry_run"]:
            self._preview(reach_of(subject_for(actor, scope, name), actor=actor))
            return
        try:
            stop = place_stop(scope, name, actor=actor, reason=options["reason"])
            self.stdout.write(f"Stop {stop.public_id} is placed on {stop.title}.")
        except StopInForce as present:
            stop = stop_for(actor, str(present.facts.get("stop", "")))
            self.stdout.write(f"Stop {stop.public_id} holds {stop.title} already. Proving it.")
        seconds = max(0.1, options["seconds"])
        found = contain_stop(stop, actor=actor, seconds=seconds, tell=self._tell)
        for evidence in found.evidence:
            if not evidence.path.startswith("gateway "):
                self._tell(evidence)
        if not found.is_contained:
            raise CommandError(f"NOT contained after {found.milliseconds} ms.", returncode=1)
        self.stdout.write(f"contained in {found.milliseconds} ms")

    def _tell(self, evidence: Evidence) -> None:
        mark = _MARKS.get(evidence.state, "OPEN")
        took = f" ({evidence.milliseconds} ms)" if evidence.milliseconds else ""
        self.stdout.write(f"  {mark}  {evidence.path}{took}: {evidence.detail}")
        if evidence.advice:
            self.stdout.write(f"        {evidence.advice}")

    def _preview(self, reach: Reach) -> None:
        self.stdout.write(f"A stop of {reach.subject.title} would hit:")
        shown = ", ".join(reach.names) + (", …" if reach.agents > len(reach.names) else "")
        self.stdout.write(f"  agents         {reach.agents}{f' ({shown})' if shown else ''}")
        self.stdout.write(f"  owners         {', '.join(reach.owners) or 'none'}")
        self.stdout.write(f"  keys           {reach.keys}")
        self.stdout.write(f"  calls          {reach.calls_in_hour} in the last hour,"
                          f" {reach.calls_in_day} in the last day")  # fmt: skip
        for name, calls in reach.callers:
            self.stdout.write(f"                 {name}: {calls}")
        self.stdout.write(f"  open now       {reach.open_now} in {reach.gateways} gateways")
        for name in reach.silent:
            self.stdout.write(f"                 {name} does not answer")
        self.stdout.write("Nothing was stopped.")
