"""Lay two runs side by side: exits 0 when they are the same but for time, 1 when they differ."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, InterfaceError

from kernel.errors import DomainError
from ledger.custody import open_in_operators_shell
from registry.actors import Actor
from routing.actions.comparing import compare_said
from routing.comparing.differences import Comparison, StepPair

_MARKS: Final = {"same": " ", "changed": "~", "missing": "-", "added": "+"}
_SHOWN: Final = 200


class Command(BaseCommand):
    help = "Compare two runs step by step: prompts, tools, arguments, outputs, cost, time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("one", help="run_…, or its label")
        parser.add_argument("other", help="run_…, or its label")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        open_in_operators_shell()
        actor, reason = Actor.system("operator"), "to compare two runs (manage.py diff)"
        try:
            found = compare_said(options["one"], options["other"], actor=actor, reason=reason)
        except DomainError as error:
            raise CommandError(error.detail, returncode=2) from None
        except (DatabaseError, InterfaceError):
            raise CommandError("PostgreSQL cannot be reached.", returncode=2) from None
        if options["json"]:
            self.stdout.write(json.dumps(found.told(), indent=2, ensure_ascii=False))
        else:
            self._tell(found)
        if not found.is_same:
            raise SystemExit(1)

    def _tell(self, found: Comparison) -> None:
        counts = ", ".join(f"{found.count(state)} {state}" for state in _MARKS)
        self.stdout.write(f"{found.one} | {found.other}: {counts}")
        for pair in found.pairs:
            self._pair(pair)
        for name, unit in (
            ("cost_micros", "micros"), ("input_tokens", "tokens in"),
            ("output_tokens", "tokens out"), ("duration_ms", "ms"),
        ):  # fmt: skip
            one, other = found.sums(name)
            self.stdout.write(f"  {_known(one)} → {_known(other)} {unit}")

    def _pair(self, pair: StepPair) -> None:
        step = pair.step
        self.stdout.write(f"{_MARKS[pair.state]} {step.kind} {step.name} {step.entry_id}")
        for one in pair.differences:
            self.stdout.write(f"    {one.what}: {_short(one.one)} → {_short(one.other)}")


def _short(text: str) -> str:
    line = text.replace("\n", "⏎")
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"


def _known(sum_of: int | None) -> str:
    return "unknown" if sum_of is None else str(sum_of)
