"""Write what the catalogue knows of models' ends as a model-eol/0.1 document."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from routing.catalogue.exporting import exported
from routing.catalogue.platforms import platform_named
from routing.queries.catalogue import catalogue_rows


class Command(BaseCommand):
    help = "Write what the catalogue knows of models' ends as model-eol/0.1."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--platform", default="", help="of one platform only")
        parser.add_argument("--out", type=Path, help="a file, instead of the terminal")

    def handle(self, *args: Any, **options: Any) -> None:
        rows = catalogue_rows(platform=platform_named(options["platform"]))
        document = exported(rows, publisher="unsprawl", source=settings.PUBLIC_URL)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        if options["out"] is None:
            self.stdout.write(text)
            return
        try:
            options["out"].write_text(text + "\n", encoding="utf-8")
        except OSError as error:
            raise CommandError(f"{options['out']}: {error.strerror}") from None
        self.stdout.write(f"{len(document['models'])} models written to {options['out']}")
