"""Ask a recorded run's calls once more of a route or model, in a run of its own, and compare.

Shows what it will cost about, then makes the calls; `--preview` only shows. Ctrl-C leaves it
to the worker, which goes on; `--cancel` ends one. Exits 0 when every call was answered, 1 when
some were not, 2 when it was refused.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from kernel.errors import DomainError
from ledger.custody import open_in_operators_shell
from registry.actors import Actor
from routing.actions.comparing import compare_headers
from routing.actions.reevaluating import cancel_reevaluation, carry_out, reevaluate
from routing.models import Reevaluation
from routing.queries.calls import run_for
from routing.queries.reevaluations import aim_for, estimate_of, reevaluation_for


class Command(BaseCommand):
    help = "Ask a recorded run's calls of another route or model; nothing else happens."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", help="run_…, or its label; ree_… with --resume or --cancel")
        parser.add_argument("--model", default="", help="a route, or vendor/model")
        parser.add_argument("--preview", action="store_true", help="say what it would cost")
        parser.add_argument("--resume", action="store_true", help="go on with one")
        parser.add_argument("--cancel", action="store_true", help="end one")

    def handle(self, *args: Any, **options: Any) -> None:
        open_in_operators_shell()
        try:
            self._handle(**options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from None
        except (DatabaseError, InterfaceError):
            raise CommandError("PostgreSQL cannot be reached.", returncode=2) from None

    def _handle(self, **options: Any) -> None:
        actor = Actor.system("operator")
        if options["cancel"]:
            ended = cancel_reevaluation(reevaluation_for(actor, options["run"]), actor=actor)
            self.stdout.write(f"{ended.public_id} is {ended.state}.")
            return
        if options["resume"]:
            self._follow(reevaluation_for(actor, options["run"]), actor)
            return
        if not options["model"]:
            raise CommandError("Name a route or vendor/model with --model.", returncode=2)
        if options["preview"]:
            run, aim = run_for(actor, options["run"]), aim_for(options["model"])
            self.stdout.write(f"about {_cost(estimate_of(run.run_id, aim.model))} on {aim.name}")
            return
        made = reevaluate(options["run"], options["model"], actor=actor)
        self.stdout.write(
            f"{made.public_id}: {made.steps} calls to {made.target},"
            f" about {_cost(made.estimate_micros)}, in {made.new_run_id}"
        )
        self._follow(made, actor)

    def _follow(self, made: Reevaluation, actor: Actor) -> None:
        while made.state == Reevaluation.State.RUNNING:
            made = carry_out(made, actor=actor, tell=self._tell)
            if made.state == Reevaluation.State.RUNNING:
                time.sleep(0.5)  # the worker has it
                made.refresh_from_db()
        found = compare_headers(made.run_id, made.new_run_id, actor=actor)
        (cost, new_cost), (took, new_took) = found.sums("cost_micros"), found.sums("duration_ms")
        self.stdout.write(
            f"{made.state}: {made.done - made.failed} of {made.steps} answered;"
            f" cost {_cost(cost)} → {_cost(new_cost)}, time {took} → {new_took} ms"
        )
        self.stdout.write(f"manage.py diff {made.run_id} {made.new_run_id} shows each step")
        if made.failed or made.state != Reevaluation.State.DONE:
            raise SystemExit(1)

    def _tell(self, made: Reevaluation) -> None:
        self.stdout.write(f"  {made.done} of {made.steps}, {made.failed} not answered")


def _cost(micros: int | None) -> str:
    return "an unknown cost" if micros is None else f"{micros / 1_000_000:.6f}"
