"""``manage.py recheck_decisions``: recorded decisions, asked of their own bundles again."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from registry.actors import Actor
from rules.actions.trying import USUAL_DAYS
from rules.trying.rechecking import recheck_decisions


class Command(BaseCommand):
    """0 when every answer is the one on record, 1 when one is not."""

    help = "Ask every recorded decision of its own bundle again"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--days", type=int, default=USUAL_DAYS, help="how far back")
        parser.add_argument(
            "--most", type=int, default=1_000_000, help="end after about this many decisions"
        )

    def handle(self, *_: Any, **given: Any) -> None:
        found = recheck_decisions(
            days=given["days"], most=given["most"], actor=Actor.system("operator")
        )
        checked = found.identical + found.different
        self.stdout.write(f"{found.identical} of {checked} identical on their own bundle.")
        if found.unknown:
            self.stdout.write(
                f"{found.unknown} could not be asked: their facts or their bundle are not here."
            )
        for entry in found.entries:
            self.stdout.write(f"different: {entry}")
        if found.different:
            sys.exit(1)
