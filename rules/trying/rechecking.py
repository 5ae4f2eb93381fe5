"""Every recorded decision asked of its own bundle again: the answer has to be the one on record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from typing import Final

from django.db import transaction

from kernel import clock
from kernel.refs import Ref
from ledger.models import Entry
from ledger.reading import Opener
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from rules.trying import recorded
from rules.trying.bench import Bench
from rules.trying.inputs import bundle_named
from rules.trying.making import AT_ONCE, children, tasks_of
from rules.trying.models import Question
from rules.trying.recorded import Asked, Tally

NAMED: Final = 20


@dataclass(slots=True)
class Rechecked:
    """How many decisions were asked again, and what became of them."""

    identical: int = 0
    different: int = 0
    unknown: int = 0
    entries: list[str] = field(default_factory=list)  # some of those that differ


def recheck_decisions(*, days: int, most: int, actor: Actor) -> Rechecked:
    """Ask recorded decisions of their own bundles again, the distinct ones of a page once.

    Records: payload.read, once, when facts of actions are opened. Raises: ShredJournalUnusable,
    PayloadsClosed, CannotOpen.
    """
    found, opener = Rechecked(), None
    with Bench(None, bundle_named, children=children()) as bench:
        for page in _pages(days, most):
            questions = [_row(number, *each) for number, each in enumerate(page.items())]
            if opener is None and any(each.source == "action" for each in questions):
                _record_reading(actor)
                opener = Opener()
            for some in _by(sorted(questions, key=lambda one: one.bundle_digest)):
                _judge(bench, some, opener, found)
    return found


def _pages(days: int, most: int) -> Iterator[dict[Asked, Tally]]:
    since = clock.now() - timedelta(days=days)
    reached, last = recorded.span_since(since)
    left = most
    while reached < last and left > 0:
        until = min(reached + recorded.PAGE_IDS, last)
        page = recorded.decisions_between(reached, until, since=since)
        left -= sum(tally.decisions for tally in page.values())
        reached = until
        yield page


def _row(number: int, asked: Asked, tally: Tally) -> Question:
    """Return a question as the bench takes it; it is not kept."""
    return Question(
        pk=number + 1,
        source=asked.source,
        input_digest=asked.input_digest,
        bundle_digest=asked.bundle_digest,
        answer=asked.answer,
        rule=asked.rule,
        decisions=tally.decisions,
        entry_id=tally.entry_id,
    )


def _by(questions: list[Question]) -> Iterator[list[Question]]:
    rows = iter(questions)
    while some := list(islice(rows, AT_ONCE)):
        yield some


def _judge(
    bench: Bench, questions: list[Question], opener: Opener | None, found: Rechecked
) -> None:
    waiting = {question.pk: question for question in questions}
    while waiting:
        for verdict in bench.judge(tasks_of(list(waiting.values()), opener)):
            question = waiting.pop(verdict.key)
            count = getattr(found, verdict.own) + question.decisions
            setattr(found, verdict.own, count)
            if verdict.own == Question.Own.DIFFERENT and len(found.entries) < NAMED:
                found.entries.append(question.entry_id)


@transaction.atomic
def _record_reading(actor: Actor) -> None:
    record(
        Verb.PAYLOAD_READ,
        Ref("ledger", "decisions"),
        actor=actor.ref,
        kind=Entry.Kind.ACCESS,
        facts={"reason": "recorded decisions are asked of their own bundles again"},
    )
