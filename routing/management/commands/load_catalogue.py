"""Load model lifecycle or prices from a file or an address; what is loaded is on the record.

Reads this service's own formats, model-eol/0.1, and lists that Bedrock's and Azure's own tools
saved. With neither option, loads what ships with this version.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import DomainError
from registry.actors import Actor
from routing.actions.catalogue import Loaded, load_document, load_shipped_catalogue
from routing.catalogue.formats import MAX_BYTES
from routing.catalogue.saved import read_brought


class Command(BaseCommand):
    help = "Load model lifecycle or prices into the catalogue."

    def add_arguments(self, parser: CommandParser) -> None:
        given = parser.add_mutually_exclusive_group()
        given.add_argument("--file", type=Path, help="a catalogue document, plain or gzipped")
        given.add_argument("--url", help="the https address of a catalogue document")
        parser.add_argument("--region", default="", help="where a saved list was asked for")
        parser.add_argument("--as-of", default="", help="the day on which a list was saved")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.system("operator")
        try:
            if options["file"] is None and options["url"] is None:
                for result in load_shipped_catalogue(actor=actor):
                    self._say(result)
                return
            came_from, raw = self._fetched(options["file"], options["url"])
            self.stdout.write(f"{came_from}: {len(raw)} bytes, loading …")
            self.stdout.flush()
            document = read_brought(raw, as_of=options["as_of"], region=options["region"])
            self._say(load_document(document, actor=actor, came_from=came_from, name=came_from))
        except DomainError as error:
            raise CommandError(error.detail) from None

    def _fetched(self, file: Path | None, url: str | None) -> tuple[str, bytes]:
        if file is not None:
            try:
                with file.open("rb") as stream:
                    return f"file:{file.name}", stream.read(MAX_BYTES + 1)
            except OSError as error:
                raise CommandError(f"{file}: {error.strerror}") from None
        from credentials.egress import GuardedClient  # the only option that goes out

        client = GuardedClient(max_bytes=MAX_BYTES, seconds=60)
        answer = client.get(str(url))
        if not answer.is_ok:
            raise CommandError(f"{url} answered {answer.status}; nothing was loaded.")
        return str(url).split("?", 1)[0], answer.body

    def _say(self, result: Loaded) -> None:
        if result.unchanged:
            self.stdout.write(f"{result.name}: unchanged since it was last loaded")
        else:
            self.stdout.write(
                f"{result.name}: {result.rows} rows loaded,"
                f" {result.models_changed} models brought in step, {result.digest}"
            )
