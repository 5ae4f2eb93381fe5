"""Print a one-time sign-in link for a person who has an account.

Whoever has this shell is the operator, and the link is recorded as the operator's doing.
Only the address goes to standard output.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kernel.errors import DomainError
from registry.actions import people
from registry.actors import Actor
from registry.queries import person_for


class Command(BaseCommand):
    help = "Print a one-time sign-in link for a person."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person = person_for(options["email"])
            issued = people.issue_sign_in_link(person, actor=Actor.system("operator"))
        except DomainError as error:
            raise CommandError(error.detail) from None
        self.stderr.write(
            f"For {person.email}, once, until {issued.expires_at:%Y-%m-%d %H:%M} UTC:"
        )
        self.stdout.write(f"{settings.PUBLIC_URL}{issued.url_path}")
