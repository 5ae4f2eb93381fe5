"""Print an API token for a person, who is created if new.

Whoever has this shell is the operator: the person, their team and missing roles are made
and recorded as the operator's doing. Only the token goes to standard output.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from kernel.errors import DomainError
from registry.actions import people
from registry.actors import Actor


class Command(BaseCommand):
    help = "Print an API token for a person, who is created if new."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument(
            "--roles", required=True, help="comma-separated, such as security,employee"
        )
        parser.add_argument("--team", help="the person's team, made if new")
        parser.add_argument("--days", type=int, default=90, help="until it expires (90; max 365)")

    def handle(self, *args: Any, **options: Any) -> None:
        operator = Actor.system("operator")
        roles = [role.strip() for role in options["roles"].split(",") if role.strip()]
        try:
            with transaction.atomic():
                person = people.ensure_person(
                    options["email"], actor=operator, roles=roles, team=options["team"]
                )
                issued = people.issue_token(
                    person,
                    actor=operator,
                    name="made at the shell",
                    roles=roles,
                    expires_in_days=options["days"],
                )
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stderr.write(
            f"A token for {person.email} ({', '.join(issued.row.roles)}), "
            f"good until {issued.row.expires_at:%Y-%m-%d}. It is shown this once."
        )
        self.stdout.write(issued.text)
