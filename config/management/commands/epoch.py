"""Show the epochs of the ledger, or open a further one. For the operator, as the owner role.

``epoch show`` compares with the witnesses; ``epoch show --record N`` prints the fork record
with which epoch N was opened; ``epoch open`` shows what it would do and asks first. 0 done,
1 refused or not wanted.
"""

from __future__ import annotations

import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from config import first_steps
from config.env import Env, Misconfigured
from config.places import Places
from config.witnesses import witnesses_from
from kernel.clock import stamp
from kernel.errors import DomainError
from ledger.epochs import Plan, Sighting, open_epoch, plan_epoch
from ledger.errors import ShredJournalUnusable
from ledger.headers import read_header
from ledger.models import Entry, Epoch
from ledger.retention.shredding import shred_again
from ledger.sequencing.comparing import compare
from ledger.sequencing.keys import KeyUnreadable, SigningKey, ensure_signing_key, install_key
from ledger.sequencing.remote import RemoteWitnesses
from ledger.sequencing.witnesses import NoWitnesses, Unreachable, Witnesses
from ledger.verbs import Verb
from ledger.witness.store import FILE_NAME, Store

_NEW_KEY: Final = "ledger-next"


class Command(BaseCommand):
    help = "Show the epochs of the ledger, or open a further one after a restore."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        show = actions.add_parser("show", help="the epochs, and what the witnesses say")
        show.add_argument("--record", type=int, metavar="N", help="print the fork record of N")
        opening = actions.add_parser("open", help="leave this epoch, and say why")
        opening.add_argument("--reason", required=True, help="one line that auditors will read")
        opening.add_argument("--new-key", action="store_true", help="with a new key for the log")
        opening.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["action"] == "show":
                self._show(options["record"])
            else:
                self._open(options["reason"], new_key=options["new_key"], ask=not options["yes"])
        except (DomainError, Misconfigured, KeyUnreadable) as error:
            raise CommandError(str(getattr(error, "detail", error))) from None

    # --- show

    def _show(self, number: int | None) -> None:
        if number is not None:
            self.stdout.write(_fork_record(number), ending="")
            return
        for epoch in Epoch.objects.order_by("number"):
            self.stdout.write(f"{epoch.number}  {epoch.origin}  {stamp(epoch.opened_at)}")
            if epoch.reason:
                self.stdout.write(f"   because {epoch.reason}")
        connection.ensure_connection()
        witnesses = _witnesses()
        compared = compare(connection.connection, witnesses)
        if compared.epoch is None:
            self.stdout.write("There is no epoch yet; the sequencer opens the first.")
        elif compared.found:
            self.stdout.write(f"SUSPENDED. {compared.found}")
        elif compared.silent:
            self.stdout.write(f"Not compared with a witness: {compared.silent}")
        elif isinstance(witnesses, NoWitnesses):
            self.stdout.write("No witness is configured, so nothing was compared.")
        else:
            self.stdout.write("What the witnesses saw is the beginning of what is here.")

    # --- open

    def _open(self, reason: str, *, new_key: bool, ask: bool) -> None:
        keys = Env().path("UNSPRAWL_KEYS_DIR", Places.from_environ().keys)
        if new_key:
            ensure_signing_key(keys, _NEW_KEY)
        key = SigningKey.load(keys, _NEW_KEY if new_key else "ledger")
        log = _log()
        plan = plan_epoch(
            key=key,
            reason=reason,
            seen=self._sightings(log),
        )
        self._preview(plan)
        if ask and not self._agrees(plan.number):
            raise CommandError("Nothing was changed.")
        opened = open_epoch(plan, actor=first_steps.OPERATOR.ref, old_key=_old_key(keys))
        if new_key:
            install_key(keys, _NEW_KEY, kept_as=f"ledger-{plan.left.number}")
        self.stdout.write(f"Epoch {plan.number} is open: entry {opened.entry_id}.")
        if new_key or plan.left.public_key != key.public:
            self._introduce(log, key)
        self._finish_destruction()

    def _sightings(self, log: str) -> list[Sighting]:
        witnesses, found = _witnesses(), list[Sighting]()
        for one in witnesses.witnesses if isinstance(witnesses, RemoteWitnesses) else ():
            try:
                seen = one.newest(log)
            except Unreachable as error:
                self.stderr.write(f"{error}. What it saw cannot be written down.")
                continue
            if seen is not None:
                found.append(Sighting(one.key.name, seen.checkpoint))
        return found

    def _preview(self, plan: Plan) -> None:
        say = self.stdout.write
        say(f"Epoch {plan.left.number} is left, because {'; '.join(plan.why)}.")
        say(f"  here       {plan.size} entries, root {plan.root.hex()}")
        for one in plan.seen:
            seen = one.checkpoint
            say(f"  witnessed  {seen.size} entries of {seen.origin}, root {seen.root.hex()}")
            say(f"             by {one.witness}")
        if plan.lost:
            say(f"  LOST       {plan.lost} witnessed entries are not in this database.")
        say(f"Epoch {plan.number} begins: {plan.origin}")
        say(f"  reason     {plan.reason}")
        say("This is recorded, signed, and cannot be undone. Auditors will ask about it.")

    def _agrees(self, number: int) -> bool:
        if not sys.stdin.isatty():
            self.stderr.write("Nobody is there to ask; --yes says that you have looked.")
            return False
        return input(f"Type {number} to open it: ").strip() == str(number)

    def _introduce(self, log: str, key: SigningKey) -> None:
        """Tell the witness beside us of the new key; every other one has an operator."""
        own = Places.from_environ().witness
        if (own / FILE_NAME).exists():
            store = Store(own)
            with store.changing():
                store.trust(log, key.public, int(time.time()))
            store.close()
            self.stdout.write("The witness of this machine accepts the new key.")
        self.stdout.write(
            "Operators of other witnesses must accept it, having made sure of it with you:\n"
            f"  python -m config.witness trust {log} {key.spelt}"
        )

    def _finish_destruction(self) -> None:
        """What a backup brought back is destroyed before anybody reads it, and now on record."""
        try:
            shred_again(actor=first_steps.OPERATOR.ref)
        except ShredJournalUnusable as error:
            self.stderr.write(f"No payload is opened: {error.detail}")


def _witnesses() -> Witnesses:
    env = Env()
    witnesses = witnesses_from(env)
    env.check()
    return witnesses


def _log() -> str:
    newest = Epoch.objects.order_by("number").last()
    return newest.origin.rsplit("/", 1)[0] if newest else ""


def _old_key(keys: Path) -> SigningKey | None:
    try:
        return SigningKey.load(keys)
    except KeyUnreadable:
        return None


def _fork_record(number: int) -> str:
    epoch = Epoch.objects.filter(number=number).first()
    opened = Entry.objects.filter(verb=Verb.EPOCH_OPENED, id__gte=epoch.first_entry if epoch else 0)
    first = opened.order_by("id").first()
    if epoch is None or number == 1 or first is None:
        raise CommandError(f"Epoch {number} has no fork record.")
    return str(read_header(bytes(first.header)).facts["fork_record"])
