"""Write an export to a file: a run, an agent, a period, or the whole ledger."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction

from kernel.errors import DomainError
from ledger.exports.planning import make_plan, period_between
from ledger.exports.scope import Period, Scope
from ledger.exports.signing import ExportSigner
from ledger.exports.snapshot import snapshot
from ledger.exports.tally import Tally
from ledger.exports.writing import export
from outlets.actions.exporting import record_made
from outlets.queries.exports import asked_scope
from registry.actors import Actor


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        scope = parser.add_mutually_exclusive_group(required=True)
        scope.add_argument("--run", default="", help="a run's id or label")
        scope.add_argument("--agent", default="", help="an agent's name")
        scope.add_argument("--whole", action="store_true", help="everything that is sequenced")
        scope.add_argument("--since", type=_moment, help="what was sequenced from then on")
        parser.add_argument("--until", type=_moment, help="and before then")
        parser.add_argument("--no-payloads", action="store_true", help="headers and proofs only")
        parser.add_argument("--reason", required=True, help="why; it is recorded")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE")

    def handle(self, *args: Any, **options: Any) -> None:
        actor, out = Actor.system("operator"), options["out"]
        part = out.with_name(f"{out.name}.part")
        try:
            scope, title = asked_scope(actor, options)
            tally = self._write(scope, part, payloads=not options["no_payloads"])
            with transaction.atomic():
                record_made(
                    tally[0], tally[1].counts, tally[1].sha256, actor=actor.ref,
                    reason=options["reason"],
                )  # fmt: skip
            part.rename(out)
        except (DomainError, OSError) as error:
            part.unlink(missing_ok=True)
            self.stderr.write(getattr(error, "detail", "") or str(error))
            sys.exit(2)
        self.stdout.write(
            f"{title}: {tally[1].counts['entries']} entries, {tally[1].bytes} bytes in {out}\n"
            f"SHA-256 {tally[1].sha256}"
        )

    def _write(self, scope: Scope, part: Path, *, payloads: bool) -> tuple[Scope, Tally]:
        signer = ExportSigner(settings.KEYS_DIR, settings.PUBLIC_URL)
        with snapshot(statement_seconds=3600) as database, part.open("wb") as file:
            if isinstance(scope, Period):
                scope = period_between(database, scope.begins_at, scope.ends_at)
            tally = Tally(scope)
            plan = make_plan(database, scope, payloads=payloads)
            for line in export(database, plan, signer, tally=tally):
                file.write(line)
        return scope, tally


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
