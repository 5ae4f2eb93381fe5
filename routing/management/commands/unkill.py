"""Lift a stop. A stop of everything is lifted by two people, also when web is down.

For one key, agent, owner, team, model, vendor or route the operator's word is enough. For
the fleet each of two people comes with their own API token, read from the terminal or
standard input and never from the arguments: the first asks, the second says yes with
--decide. Exits 0 when it is lifted, 1 when it waits for the second person, 2 when refused.
"""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from approvals.actions.deciding import decide_review
from approvals.models import Review
from approvals.queries import open_review_of
from kernel.errors import DomainError
from registry.actors import Actor
from registry.queries.credentials import token_for
from routing.actions.stops import lift_stop
from routing.errors import StopNotFound
from routing.management.commands.kill import NO_DATABASE
from routing.models import Stop
from routing.queries.stops import in_force, subject_for


class Command(BaseCommand):
    help = "Lift a stop; of the fleet, together with a second person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scope", choices=Stop.Scope.values)
        parser.add_argument("name", nargs="?", default="", help="as it was given to kill")
        parser.add_argument("--reason", default="", help="why it may go on")
        parser.add_argument(
            "--decide", action="store_true", help="say yes, as the second person, and lift it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(**options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from None
        except (DatabaseError, InterfaceError):
            raise CommandError(NO_DATABASE, returncode=1) from None

    def _handle(self, **options: Any) -> None:
        operator = Actor.system("operator")
        found = subject_for(operator, options["scope"], options["name"])
        stop = in_force(found.scope, found.id).first()
        if stop is None:
            raise StopNotFound(f"No stop holds {found.title}.")
        actor = self._person() if stop.scope == Stop.Scope.FLEET else operator
        reason = options["reason"]
        if options["decide"]:
            reason = reason or "Decided by the second person."
            self._decide(stop, actor, reason)
        lifting = lift_stop(stop.public_id, actor=actor, reason=reason)
        if lifting.review is not None:
            raise CommandError(
                f"Review {lifting.review.public_id} asks a second person with the security role."
                " They decide it in the portal, or here with --decide and their own token.",
                returncode=1,
            )
        self.stdout.write(f"Stop {stop.public_id} is lifted; {stop.title} goes on.")

    def _decide(self, stop: Stop, actor: Actor, reason: str) -> None:
        review = open_review_of(str(stop.ref), Review.Kind.STOP_LIFT)
        if review is not None:
            decide_review(review.public_id, actor=actor, decision="approve", comment=reason.strip())
            self.stdout.write(f"Review {review.public_id} is decided.")

    def _person(self) -> Actor:
        """Return who stands at the terminal, by their own token. Raises: Unauthenticated leaves."""
        if sys.stdin.isatty():
            text = getpass.getpass("Your API token (ust_…): ")
        else:
            text = sys.stdin.readline()
        return Actor.by_token(token_for(text.strip()))
