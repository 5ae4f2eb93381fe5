"""``manage.py register -f agent.yaml``: enter an agent into the inventory from the shell.

Shell access is the operator's; what it does is recorded as theirs. Errors are printed as
``file:line: key: message``, so that an editor can jump to them.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kernel.errors import DomainError
from registry.actions.agents import check_manifest, propose_version, register_agent
from registry.actors import Actor
from registry.manifest import Manifest, manifest_of, read_manifest
from registry.manifest.reading import JSON_TYPES, YAML_TYPES
from registry.manifest.schema import schema_text
from registry.manifest.text import MAX_BYTES


class Command(BaseCommand):
    help = "Register an agent from its manifest, or hand in a new version of it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("-f", "--file", help="the manifest, YAML or JSON; - reads from stdin")
        parser.add_argument("--owner", metavar="EMAIL", help="in place of the manifest's owner")
        parser.add_argument("--update", action="store_true", help="propose it as a new version")
        parser.add_argument("--check", action="store_true", help="only say whether it is valid")
        parser.add_argument("--schema", action="store_true", help="print the JSON Schema and stop")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["schema"]:
            self.stdout.write(schema_text(), ending="")
            return
        if not options["file"]:
            raise CommandError("Name the manifest with -f agent.yaml.")
        try:
            self.stdout.write(self._carry_out(**options))
        except DomainError as error:
            raise CommandError("\n".join(_lines(options["file"], error))) from None

    def _carry_out(self, *, file: str, owner: str | None, **options: Any) -> str:
        manifest = _read(file)
        if owner:
            manifest = manifest_of(dict(manifest.owned_by(owner).document))
        operator = Actor.system("operator")
        if options["check"]:
            checked = check_manifest(manifest, actor=operator)
            like = ", ".join(f"{each.agent.name} ({each.score:.2f})" for each in checked.similar)
            return f"{file}: valid. Most like it: {like or 'none'}."
        if options["update"]:
            done = propose_version(manifest.name, manifest, actor=operator, source="command")
            word = "proposed" if done.created else "waits already"
            return f"{manifest.name}: version {done.version.version} {word}."
        new = register_agent(manifest, actor=operator, source="command")
        lines = [f"{new.agent.name} is {'registered' if new.created else 'registered already'}"]
        lines[0] += f" as {new.agent.public_id}, stage {new.agent.stage}."
        for each in new.similar:
            lines.append(f"  like {each.agent.name} ({each.score:.2f}): {'; '.join(each.reasons)}")
        return "\n".join(lines)


def _read(file: str) -> Manifest:
    try:
        if file == "-":
            raw = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}") from None
    return read_manifest(raw, JSON_TYPES[0] if file.endswith(".json") else YAML_TYPES[0])


def _lines(file: str, error: DomainError) -> list[str]:
    stated: Any = error.facts.get("errors")
    problems = stated if isinstance(stated, list) else [{"line": error.facts.get("line")}]
    return [
        ": ".join(
            str(part)
            for part in (
                f"{file}:{each.get('line') or 1}",
                each.get("key"),
                each.get("message") or error.detail,
            )
            if part
        )
        for each in problems
    ]
