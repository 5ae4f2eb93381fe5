"""Give a key ring a new key, seal every row to it and destroy the old keys."""

from __future__ import annotations

import getpass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from credentials.actions import rotate_ring
from credentials.queries import rows_by_ring_key
from kernel.errors import DomainError
from kernel.refs import Ref
from kernel.sealing import RINGS


class Command(BaseCommand):
    help = "Rotate a key ring. Safe to interrupt: the same command goes on where it was cut off."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--ring", required=True, choices=RINGS)
        parser.add_argument(
            "--keep-old", action="store_true", help="leave the old keys in the key files"
        )
        parser.add_argument(
            "--settle-seconds",
            type=float,
            default=3.0,
            help="how long running processes get to notice the new key (default 3)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        ring = options["ring"]
        try:
            rotated = rotate_ring(
                ring,
                actor=Ref("system", f"operator/{getpass.getuser()}"),
                keep_old=options["keep_old"],
                settle_seconds=options["settle_seconds"],
                progress=lambda line: self.stdout.write(f"  {line}"),
            )
        except DomainError as error:
            raise CommandError(error.detail) from None
        for key, rows in rows_by_ring_key(ring).items():
            self.stdout.write(f"  {rows} rows under {key}")
        if rotated.unopened:
            raise CommandError(
                f"{len(rotated.unopened)} rows could not be opened and keep their old key, "
                f"which is kept too; the first is {rotated.unopened[0]}.",
                returncode=2,
            )
        self.stdout.write(f"Ring {ring} is on {rotated.ring_key_id}.")
