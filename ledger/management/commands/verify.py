"""Check the ledger, or an export: 0 it holds, 1 it does not, 2 it could not be told, 3 forked."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from kernel.errors import DomainError
from ledger.auditing.audit import Audit, audit
from ledger.auditing.trust import Trust
from ledger.custody import RING, open_in_operators_shell, ring_is_readable
from ledger.standalone import unsprawl_verify as standalone

INCOMPLETE: Final = 2
CODES: Final = {"valid": 0, "invalid": 1, "incomplete": INCOMPLETE, "diverged": 3}
SECONDS_BETWEEN_LINES = 5.0


class Command(BaseCommand):
    help = __doc__
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--export", metavar="FILE", help="check an export; needs no database")
        add("--json", action="store_true", help="answer as one JSON document")
        kept = "a checkpoint kept from before: show that nothing up to it was changed"
        add("--since", action="append", default=[], type=Path, metavar="NOTE", help=kept)
        further = "a further public key of the log: base64, a vkey, or a file of one"
        add("--key", action="append", default=[], metavar="KEY", help=further)

    def handle(self, *args: Any, **options: Any) -> None:
        self._started = self._said_at = time.monotonic()
        try:
            if options["export"]:
                if code := self._check_export(options):
                    sys.exit(code)
                return
            if ring_is_readable():
                open_in_operators_shell()
            trust = Trust.kept_in(settings.KEYS_DIR, more=tuple(options["key"]))
            found = audit(trust.with_notes(tuple(options["since"])), self._progress)
        except DomainError as error:
            self._say_incomplete(error, as_json=options["json"])
            sys.exit(INCOMPLETE)
        if options["json"]:
            self.stdout.write(json.dumps(_document(found)))
        else:
            self._say(found)
        if code := CODES[found.word]:
            sys.exit(code)

    def _check_export(self, options: dict[str, Any]) -> int:
        words: list[str] = []
        for option, pattern in (
            ("--key", "ledger*.pub"), ("--witness", "witness*.pub"), ("--export-key", "export.pub")
        ):  # fmt: skip
            for path in sorted(settings.KEYS_DIR.glob(pattern)):
                words += [option, str(path)]
        for option in ("key", "since"):
            for value in options[option]:
                words += [f"--{option}", str(value)]
        if options["json"]:
            words.append("--json")
        return standalone.main([options["export"], *words], write=self.stdout.write)

    def _progress(self, what: str, count: int) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{count} {what} checked", ending="")
        elif time.monotonic() - self._said_at >= SECONDS_BETWEEN_LINES:
            self.stderr.write(f"{count} {what} checked")
            self._said_at = time.monotonic()

    def _say(self, found: Audit) -> None:
        write, chains = self.stdout.write, found.chains
        if self.stderr.isatty():
            self.stderr.write("\r", ending="")
        write(
            f"{chains.entries} entries in {chains.chains} chains, {chains.payloads} payloads "
            f"checked, {chains.absent} absent, {chains.open_intents} open intents, "
            f"{_opened(found)} ({time.monotonic() - self._started:.1f} s)"
        )
        for tree in found.trees:
            write(
                f"epoch {tree.number}, {tree.origin}: {tree.size} leaves, {tree.checkpoints} "
                f"checkpoints; proven up to {tree.proven}, witnessed up to {tree.witnessed}"
            )
        if found.unsequenced:
            write(f"{found.unsequenced} entries wait for their place in the tree")
        self._say_findings(found)
        if found.word == "valid":
            write("The ledger holds.")

    def _say_findings(self, found: Audit) -> None:
        write = self.stdout.write
        for wrong in found.diverged:
            write(f"DIVERGED: {wrong}")
        for number, finding in enumerate(found.findings[:10]):
            write(f"{'    also ' if number else 'INVALID: '}{finding}")
        if found.bad > 10:
            write(f"    and {found.bad - 10} more")
        for why in found.incomplete:
            write(f"INCOMPLETE: {why}")

    def _say_incomplete(self, error: DomainError, *, as_json: bool) -> None:
        if as_json:
            document = {"verdict": "incomplete", "detail": error.detail, **error.facts}
            self.stdout.write(json.dumps(document))
        else:
            self.stdout.write(f"INCOMPLETE: {error.detail}")


def _opened(found: Audit) -> str:
    if RING not in settings.OPENS:
        return "data keys NOT opened (their ring cannot be read here)"
    return f"{found.keys_opened} data keys opened"


def _document(found: Audit) -> dict[str, Any]:
    chains = asdict(found.chains)
    del chains["findings"], chains["bad"]
    trees = [asdict(tree) for tree in found.trees]
    for tree in trees:
        del tree["roots"]
    return {
        "verdict": found.word,
        **chains,
        "trees": trees,
        "unsequenced": found.unsequenced,
        "keys_opened": found.keys_opened,
        "diverged": found.diverged,
        "incomplete": found.incomplete,
        "bad": found.bad,
        "first": asdict(found.first) if found.first else None,
        "findings": [asdict(finding) for finding in found.findings],
    }
