"""``manage.py demo``: load the demo company into an empty service, or take it out again."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from psycopg.conninfo import make_conninfo

from fleet.demo.acting import act
from fleet.demo.building import (
    build_company,
    finish_company,
    guard_of,
    is_loaded,
    remove_company,
)
from fleet.demo.counting import count_told
from fleet.demo.drifting import call_lately
from fleet.demo.finding import find
from fleet.demo.history import Teller
from fleet.demo.moving import Moving, begun_at
from fleet.demo.tending import tend
from fleet.health.actions.counting import count_calls
from kernel import clock
from kernel.errors import DomainError
from registry.actors import Actor


class Command(BaseCommand):
    help = "Load the demo company (65 agents, 8 teams, 90 days of calls), or remove it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--remove", action="store_true", help="take the demo agents out again")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.system("demo")
        try:
            if options["remove"]:
                self._say(f"{remove_company(actor=actor)} demo agents removed")
                return
            if is_loaded():
                self._say("the demo company is here already")
                return
            keys = build_company(actor=actor, say=self._say)
            parameters = connection.get_connection_params()
            known = ("host", "port", "dbname", "user", "password")
            address = make_conninfo(
                **{name: parameters[name] for name in known if parameters.get(name)}
            )
            acts = act(keys, actor=actor, say=self._say)
            teller = Teller(address=address, keys_dir=settings.KEYS_DIR, say=self._say)
            calls = teller.tell(teller.past_of(keys, until=begun_at(clock.now())))
            calls += call_lately(keys, teller)
            count_told(actor=actor)
            # Health begins with the last day, by the order in which calls came: now, and not once
            # more of the past was told.
            count_calls(actor=actor)
            self._say("a model that ends: evaluations, moves, cutovers")
            Moving(keys, teller, actor=actor).go()
            self._say("what is not registered, how agents are, what they are worth")
            found = find(guard=guard_of(), operator=actor)
            tend(operator=actor)
        except DomainError as error:
            raise CommandError(f"{error.title}. {error.detail}") from None
        finish_company(actor=actor, calls=calls)
        self._say(
            f"{len(keys)} agents that call, {calls} calls, {acts} proposals, {found} findings"
        )

    def _say(self, line: str) -> None:
        self.stdout.write(f"  demo         {line}")
        self.stdout.flush()
