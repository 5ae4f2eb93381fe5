"""``manage.py scan PATH``: look through a repository on this machine and keep what was found."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from fleet.discovery.actions.readings import carry_out_readings, take_upload
from fleet.discovery.actions.reports import take_report
from fleet.discovery.queries.names import fingerprint_key
from fleet.discovery.queries.retirements import known_models
from fleet.discovery.scanning.scan_repository import Catalogue, scan_folder
from kernel.errors import DomainError
from registry.actors import Actor


class Command(BaseCommand):
    """Scans a folder at once, an archive through the same door as an upload."""

    help = "Look for agents, model ids and vendor keys in a folder or an archive (.tar.gz, .zip)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("--name", default="", help="of the repository; else git's remote")
        parser.add_argument("--dry-run", action="store_true", help="print the report, keep nothing")

    def handle(self, *args: Any, **given: Any) -> None:
        path: Path = given["path"]
        actor = Actor.system("operator")
        try:
            if path.is_dir():
                self._folder(path, given["name"], actor, is_dry=given["dry_run"])
            elif path.is_file():
                self._archive(path, given["name"], actor)
            else:
                raise CommandError(f"{path} is neither a folder nor a file.")
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _folder(self, path: Path, name: str, actor: Actor, *, is_dry: bool) -> None:
        report = scan_folder(
            path, Catalogue(known_models()), name=name, fingerprint_key=fingerprint_key()
        )
        if is_dry:
            self.stdout.write(json.dumps(report, indent=2, sort_keys=True))
            return
        row, found = take_report(report, actor=actor)
        self.stdout.write(f"{row.title}: {row.found} new, {row.seen_again} seen again.")
        if found is not None and found.retires_on is not None:
            self.stdout.write(
                f"It breaks on {found.retires_on:%-d %B %Y}, when {found.retiring_model} ends."
            )

    def _archive(self, path: Path, name: str, actor: Actor) -> None:
        with path.open("rb") as file:
            pieces = iter(lambda: file.read(io.DEFAULT_BUFFER_SIZE * 16), b"")
            row = take_upload(pieces, kind="repository", title=name or path.name, actor=actor)
        carry_out_readings(actor=actor)
        row.refresh_from_db()
        told = f"{row.title}: {row.state}. {row.found} new, {row.seen_again} seen again."
        self.stdout.write(f"{told} {row.failure}".strip())
