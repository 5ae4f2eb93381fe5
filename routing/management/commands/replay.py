"""Carry a recorded run through the code that is here now, and compare every step.

Reaches nothing: connections are refused while it works. Exits 0 when all is identical, 1 when
a step differs (the first is named), 2 when something that it needs is not on record.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from kernel.errors import DomainError
from ledger.custody import open_in_operators_shell
from registry.actors import Actor
from routing.actions.replaying import recorded_run
from routing.code import code_version
from routing.gateway.replaying.recorded import DumpUnreadable, RecordedRun, dump, load
from routing.gateway.replaying.report import EXIT, INCOMPLETE, Report
from routing.gateway.replaying.run import Replayer


class Command(BaseCommand):
    help = "Replay a run byte for byte with the network out of reach; name the first difference."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("run", nargs="?", default="", help="run_…, or its label")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        parser.add_argument("--file", type=Path, help="replay a dump, with no database")
        parser.add_argument(
            "--dump", type=Path, help="write the run to a file as well, payloads in the clear"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        open_in_operators_shell()
        try:
            run = self._run(**options)
        except DomainError as error:
            raise CommandError(error.detail, returncode=EXIT[INCOMPLETE]) from None
        except (DumpUnreadable, OSError) as error:
            raise CommandError(str(error), returncode=EXIT[INCOMPLETE]) from None
        except (DatabaseError, InterfaceError):
            raise CommandError("PostgreSQL cannot be reached.", returncode=2) from None
        if options["dump"]:
            options["dump"].write_bytes(dump(run))
        with Replayer(code_version()) as replayer:
            report = replayer.replay(run)
        if options["json"]:
            self.stdout.write(json.dumps(report.told(), indent=2, ensure_ascii=False))
        else:
            self._tell(report)
        if code := EXIT[report.verdict]:
            raise SystemExit(code)

    def _run(self, **options: Any) -> RecordedRun:
        if options["file"]:
            return load(options["file"].read_bytes())
        if not options["run"]:
            raise CommandError("Name a run, or a dump with --file.", returncode=2)
        actor = Actor.system("operator")
        return recorded_run(options["run"], actor=actor, reason="to replay it (manage.py replay)")

    def _tell(self, report: Report) -> None:
        calls = len(report.calls)
        self.stdout.write(f"{report.run_id}: {report.verdict}, {calls} attempts and refusals")
        for code in report.recorded_by:
            same = " (this code)" if code == report.code else f"; this code is {report.code}"
            self.stdout.write(f"  recorded by {code}{same}")
        if report.connections:
            self.stdout.write(f"  {report.connections} connections were tried, and refused")
        if (first := report.first) is None:
            return
        call, step = first
        self.stdout.write(f"  first: {call.entry_id} ({call.verb}), {step.name}: {step.what}")
        if step.recorded or step.replayed:
            self.stdout.write(f"    recorded  {step.recorded}")
            self.stdout.write(f"    replayed  {step.replayed}")
