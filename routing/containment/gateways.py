"""Asking every gateway process whether a stop holds there and what it still carries.

Owns the hardest part of a proof: the process that does not answer. It is contained only
when it has certainly ended, or when its writer is closed, so that it can record and
therefore send nothing any more, and the record shows no call of the subject that it had
open. Anything else is said to be open, by the name of the gateway.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from ledger.headers import Header, read_header
from ledger.models import Entry, Writer
from ledger.verbs import Verb
from routing.containment.paths import CONTAINED, OPEN, Evidence, Probe
from routing.door import DoorShut, knock
from routing.internal import InternalKeys
from routing.models import LiveGateway
from routing.queries.stops import Subject
from routing.whereabouts import is_gone

# Nothing that a gateway carries is older than its patience.
LONGEST_CALL: Final = timedelta(hours=2)
_PAUSE: Final = 0.02
# This share of the time is spent on knocking before a silent gateway's writer is closed.
_KNOCKING: Final = 0.6
_MOST_INTENTS: Final = 5000
_LOOK: Final = "See whether its process runs (its name holds host and pid), and end it there."


@dataclass(frozen=True, slots=True)
class Known:
    """A gateway as its register or its writer names it."""

    name: str
    door: str = ""
    machine: str = ""
    pid: int = 0
    pid_since: int = 0

    @property
    def path(self) -> str:
        return f"gateway {self.name.removeprefix('gateway:')}"

    @property
    def has_ended(self) -> bool:
        return is_gone(self.machine, self.pid, self.pid_since)


@dataclass(slots=True)
class _Answer:
    """What a gateway said last; why it said nothing, when it did not."""

    said: dict[str, Any] | None = None
    silence: str = ""
    has_ended: bool = False
    milliseconds: int = 0

    @property
    def is_contained(self) -> bool:
        said = self.said
        if said is None:
            return False
        # Without fresh rules a gateway lets nothing through, whatever they say.
        return said.get("open") == 0 and (said.get("holds") is True or not said.get("governed"))


class Gateways:
    """The path that every call takes."""

    def probe(self, probe: Probe) -> list[Evidence]:
        began = time.monotonic()
        known = live_gateways()
        if not known:
            return [Evidence("gateways", CONTAINED, "No gateway runs.")]
        keys = InternalKeys.load(settings.KEYS_DIR)
        question = {
            "scope": probe.subject.scope, "subject": probe.subject.id,
            "stop": probe.stop_id, "cut": True,
        }  # fmt: skip
        first = began + probe.seconds * _KNOCKING
        found: list[Evidence] = []
        with ThreadPoolExecutor(len(known), thread_name_prefix="door") as pool:
            asked = [(each, pool.submit(_ask, each, question, keys, first)) for each in known]
            left = list(self._hear(asked, probe, found))
            last = began + probe.seconds
            fenced = [(each, *self._fence(each, answer, probe)) for each, answer in left]
            again = [(each, pool.submit(_ask, each, question, keys, last)) for each, _ in left]
            answers = {each.name: future.result() for each, future in again}
        for each, is_fenced, count in fenced:
            evidence = _judge(each, answers[each.name], is_fenced=is_fenced, count=count)
            probe.tell(evidence)
            found.append(evidence)
        return found

    def _hear(
        self,
        asked: list[tuple[Known, Future[_Answer]]],
        probe: Probe,
        found: list[Evidence],
    ) -> Iterable[tuple[Known, _Answer]]:
        for each, future in asked:
            answer = future.result()
            if not (answer.is_contained or answer.has_ended):
                yield each, answer
                continue
            if answer.has_ended:
                close_writers(each.name)
            evidence = _judge(each, answer, is_fenced=answer.has_ended, count=0)
            probe.tell(evidence)
            found.append(evidence)

    def _fence(self, each: Known, answer: _Answer, probe: Probe) -> tuple[bool, int]:
        """Close a silent gateway's writers; return whether that is done, and what it had open."""
        if answer.said is not None:
            return False, 0
        is_fenced = close_writers(each.name)
        return is_fenced, len(open_intents(each.name, probe.subject))


def live_gateways() -> list[Known]:
    """Return every gateway that may carry something: announced, or with an open writer."""
    rows = LiveGateway.objects.filter(left_at__isnull=True, seen_at__gt=Now() - LONGEST_CALL)
    known = {
        row.name: Known(row.name, row.door, row.machine, row.pid, row.pid_since) for row in rows
    }
    writers = Writer.objects.filter(process__startswith="gateway:", closed_at__isnull=True)
    for process in writers.values_list("process", flat=True):
        known.setdefault(process, Known(process))
    return sorted(known.values(), key=lambda each: each.name)


def close_writers(process: str) -> bool:
    """Fence a process: what it has not recorded yet it will not record, and so not send.

    A commit of it that is under way is waited for. False when it could not be done in time.
    """
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '1s'")
            Writer.objects.filter(process=process, closed_at__isnull=True).update(closed_at=Now())
    except DatabaseError:
        return False
    return True


def open_intents(process: str, subject: Subject) -> list[Header]:
    """Return the calls of a subject that a process intended and that nobody concluded for it."""
    writers = Writer.objects.filter(process=process).values_list("writer", flat=True)
    result = Entry.objects.filter(kind=Entry.Kind.RESULT, intent_id=OuterRef("entry_id"))
    intents = Entry.objects.filter(
        ~Exists(result.exclude(verb=Verb.CALL_LOST)),
        kind=Entry.Kind.INTENT,
        writer__in=list(writers),
        recorded_at__gt=Now() - LONGEST_CALL,
    )
    agents = set(subject.agents().values_list("public_id", flat=True))
    headers = (read_header(bytes(row)) for row in _newest(intents))
    return [header for header in headers if _is_of(header, subject, agents)]


def _newest(intents: QuerySet[Entry]) -> QuerySet[Entry, Any]:
    return intents.order_by("-id").values_list("header", flat=True)[:_MOST_INTENTS]


def _is_of(header: Header, subject: Subject, agents: set[str]) -> bool:
    if subject.scope == "fleet":
        return True
    if subject.scope in {"agent", "owner", "team"}:
        return header.agent_id in agents
    return all(header.facts.get(name) == value for name, value in subject.aims.items())


def _ask(each: Known, question: dict[str, Any], keys: InternalKeys, until: float) -> _Answer:
    """Knock until the answer is the wanted one, or it is late. Runs in a thread, without rows."""
    began, answer = time.monotonic(), _Answer(silence="it has announced no door")
    while each.door and not answer.is_contained:
        left = until - time.monotonic()
        if left <= 0:
            break
        try:
            said = knock(each.door, question, keys, min(left, 1.0))
            is_it = said.get("gateway") == each.name
            silence = "" if is_it else "another process answers there"
            answer = _Answer(said if is_it else None, silence)
        except DoorShut as shut:
            answer = _Answer(silence=str(shut))
        if answer.said is None and each.has_ended:
            break
        if not answer.is_contained:
            time.sleep(_PAUSE)
    answer.has_ended = answer.said is None and each.has_ended
    answer.milliseconds = int((time.monotonic() - began) * 1000)
    return answer


def _judge(each: Known, answer: _Answer, *, is_fenced: bool, count: int) -> Evidence:
    took = answer.milliseconds
    if answer.is_contained and answer.said is not None:
        how = (
            "It refuses the subject and carries nothing of it."
            if answer.said.get("holds")
            else "Its rules are stale, so it refuses everything, and it carries nothing of this."
        )
        return Evidence(each.path, CONTAINED, how, milliseconds=took)
    if answer.has_ended:
        how = "Its process has ended, and its connections with it."
        return Evidence(each.path, CONTAINED, how, milliseconds=took)
    if answer.said is not None:
        still = int(answer.said.get("open") or 0)
        how = (
            f"{still} calls of it are still open there."
            if still
            else "It does not know of the stop yet."
        )
        advice = f"Run the command again; if it stays so, end that gateway. {_LOOK}"
        return Evidence(each.path, OPEN, how, advice, still, took)
    if not is_fenced:
        how = f"Not seen: {answer.silence}, and its writer could not be closed."
        return Evidence(each.path, OPEN, how, _LOOK, count, took)
    if count:
        how = (
            f"Its open streams cannot be seen: {answer.silence}. Its writer is closed, so it begins"
            f" nothing new; {count} calls of this were open there, and what flows in them may flow"
            " until it notices."
        )
        return Evidence(each.path, OPEN, how, _LOOK, count, took)
    how = (
        f"Not seen: {answer.silence}. Its writer is closed, so it can send nothing any more, and by"
        " the record it carries no call of this."
    )
    return Evidence(each.path, CONTAINED, how, milliseconds=took)
