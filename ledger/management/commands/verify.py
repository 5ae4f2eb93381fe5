"""Check the ledger, or an exported run: 0 it holds, 1 it does not, 2 it could not be told."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from kernel.errors import DomainError
from ledger.checking import Verdict
from ledger.export_check import verify_export
from ledger.verification import verify_all

INVALID, INCOMPLETE = 1, 2
SECONDS_BETWEEN_LINES = 5.0


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--export", type=Path, metavar="FILE", help="check an exported run")
        parser.add_argument("--json", action="store_true", help="answer as one JSON document")

    def handle(self, *args: Any, **options: Any) -> None:
        started = self._said_at = time.monotonic()
        try:
            verdict = (
                verify_export(options["export"])
                if options["export"]
                else verify_all(self._progress)
            )
        except DomainError as error:
            self._say_incomplete(error, as_json=options["json"])
            sys.exit(INCOMPLETE)
        if options["json"]:
            word = "valid" if verdict.is_valid else "invalid"
            self.stdout.write(json.dumps({"verdict": word, **asdict(verdict)}))
        else:
            self._say(verdict, time.monotonic() - started)
        if not verdict.is_valid:
            sys.exit(INVALID)

    def _progress(self, entries: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{entries} entries checked", ending="")
        elif time.monotonic() - self._said_at >= SECONDS_BETWEEN_LINES:
            self.stderr.write(f"{entries} entries checked")
            self._said_at = time.monotonic()

    def _say(self, verdict: Verdict, seconds: float) -> None:
        if self.stderr.isatty():
            self.stderr.write("\r", ending="")
        self.stdout.write(
            f"{verdict.entries} entries in {verdict.chains} chains, {verdict.payloads} payloads "
            f"checked, {verdict.absent} absent, {verdict.open_intents} open intents "
            f"({seconds:.1f} s)"
        )
        if verdict.first is None:
            self.stdout.write("The ledger holds.")
            return
        self.stdout.write(f"INVALID: {verdict.first}")
        for finding in verdict.findings[1:10]:
            self.stdout.write(f"    also {finding}")
        if verdict.bad > 10:
            self.stdout.write(f"    and {verdict.bad - 10} more")

    def _say_incomplete(self, error: DomainError, *, as_json: bool) -> None:
        if as_json:
            document = {"verdict": "incomplete", "detail": error.detail, **error.facts}
            self.stdout.write(json.dumps(document))
        else:
            self.stdout.write(f"INCOMPLETE: {error.detail}")
