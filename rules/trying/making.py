"""How the worker tries a bundle: reads the decisions, judges each distinct question, counts.

The row says how far that is safe; a worker that takes over goes on behind it. What was read
joins the questions in the same transaction as the place it was read to, so that no decision
counts twice. What one part may do is bounded in time: a long trial does not hold a worker.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from psycopg import OperationalError

from kernel import clock
from kernel.db import ring
from kernel.errors import DomainError
from kernel.refs import Ref
from ledger.models import Entry
from ledger.reading import Opener
from ledger.record import record
from ledger.verbs import Verb
from policy.bundle import Bundle
from policy.errors import BundleUnusable
from registry.actors import Actor
from rules.trying import recorded
from rules.trying.bench import Bench, Task
from rules.trying.comparing import Answered
from rules.trying.concluding import counted, keep_changes
from rules.trying.inputs import bundle_named, facts_behind
from rules.trying.keeping import join_page, keep_verdicts
from rules.trying.models import UNDER_WAY, Question, Trial

logger = logging.getLogger("unsprawl.policy")

PART_SECONDS: Final = 40.0
LEASE: Final = timedelta(seconds=45)
AT_ONCE: Final = 400
MOST_ATTEMPTS: Final = 5
_FAILED: Final = "The bundle gave no clean answer again and again, so the trial was ended."


class _Lost(Exception):
    """The trial was cancelled, or somebody else carries it out by now."""


def try_bundles(*, actor: Actor) -> int:
    """Go on with trials that wait, one after the other, for one part's time.

    Records: policy.trial_ended, payload.read, as it applies.
    """
    until, worked = time.monotonic() + PART_SECONDS, 0
    while time.monotonic() < until and (trial := _claim()) is not None:
        worked += 1
        try:
            _Part(trial, until).run()
        except _Lost:
            continue
        except BundleUnusable as error:
            _end(trial, error.detail or error.title, actor)
        except (DomainError, OperationalError, OSError) as error:
            _put_off(trial, error, actor)
    if Trial.objects.filter(_free()).exists():
        ring("rules.try_bundles")
    return worked


@transaction.atomic
def _claim() -> Trial | None:
    rows = Trial.objects.select_for_update(skip_locked=True, of=("self",)).select_related("bundle")
    found = rows.filter(_free()).order_by("asked_at", "pk").first()
    if found is not None:
        found.leased_until = clock.now() + LEASE
        found.save(update_fields=["leased_until"])
    return found


def _free() -> Q:
    unleased = Q(leased_until__isnull=True) | Q(leased_until__lt=clock.now())
    return Q(state__in=UNDER_WAY) & unleased


def _keep(trial: Trial, **changes: Any) -> None:
    """Save progress if this worker still has the trial. Raises _Lost."""
    lease = changes.pop("leased_until", clock.now() + LEASE)
    kept = Trial.objects.filter(
        pk=trial.pk, state__in=UNDER_WAY, leased_until=trial.leased_until
    ).update(leased_until=lease, **changes)
    if not kept:
        raise _Lost
    trial.leased_until = lease
    for name, value in changes.items():
        setattr(trial, name, value)


@dataclass(slots=True)
class _Part:
    """One stretch of work on a trial."""

    trial: Trial
    until: float

    def run(self) -> None:
        if self.trial.state == Trial.State.WAITING:
            first, last = recorded.span_since(self.trial.begins_at)
            _keep(
                self.trial, state=Trial.State.READING, first=first, reached=first, last=last
            )  # fmt: skip
        if self.trial.state == Trial.State.READING:
            self._read()
        if self.trial.state == Trial.State.JUDGING:
            self._judge()
        if self.trial.is_under_way:
            _keep(self.trial, leased_until=None)

    def _read(self) -> None:
        while self.trial.reached < self.trial.last:
            if time.monotonic() >= self.until:
                return
            reached = min(self.trial.reached + recorded.PAGE_IDS, self.trial.last)
            page = recorded.decisions_between(
                self.trial.reached, reached, since=self.trial.begins_at
            )
            with transaction.atomic():
                join_page(self.trial.pk, page)
                number = sum(tally.decisions for tally in page.values())
                _keep(self.trial, reached=reached, decisions=self.trial.decisions + number)
        self._begin_judging()

    def _begin_judging(self) -> None:
        asked = Question.objects.filter(trial=self.trial)
        with transaction.atomic():
            of_actions = asked.filter(source=Question.Source.ACTION).count()
            if of_actions:
                self._record_reading(of_actions)
            _keep(
                self.trial,
                state=Trial.State.JUDGING,
                questions=asked.count(),
                opens_payloads=of_actions > 0,
            )

    def _record_reading(self, payloads: int) -> None:
        """Put on record, once and before any is opened, that payloads are read for this."""
        record(
            Verb.PAYLOAD_READ,
            self.trial.ref,
            actor=Ref.parse(self.trial.asked_by),
            kind=Entry.Kind.ACCESS,
            facts={"reason": "a policy is tried on past decisions", "payloads": payloads},
        )

    def _judge(self) -> None:
        opener = Opener() if self.trial.opens_payloads else None
        tried = Bundle.unpack(bytes(self.trial.bundle.packed))
        with Bench(tried, bundle_named, children=children()) as bench:
            while waiting := self._waiting():
                if time.monotonic() >= self.until:
                    return
                verdicts = bench.judge(tasks_of(waiting, opener))
                with transaction.atomic():
                    keep_verdicts(self.trial.pk, verdicts)
                    _keep(self.trial, judged=self.trial.judged + len(verdicts))
                if bench.has_failed:
                    break
            _conclude(self.trial, _FAILED if bench.has_failed else "")

    def _waiting(self) -> list[Question]:
        rows = Question.objects.filter(trial=self.trial, found="")
        return list(rows.order_by("bundle_digest", "id")[:AT_ONCE])


def tasks_of(questions: Sequence[Question], opener: Opener | None) -> list[Task]:
    """Return what is to be judged, with the facts behind it where they are kept."""
    facts = facts_behind(questions, opener)
    return [
        Task(
            question.pk,
            facts.get(question.pk),
            question.bundle_digest,
            Answered(question.answer, question.rule),
        )
        for question in questions
    ]


def children() -> int:
    """Return how many judge at once: one for each processor, and not so many as to be felt."""
    return max(1, min(len(os.sched_getaffinity(0)), 4))


@transaction.atomic
def _conclude(trial: Trial, failure: str) -> None:
    counts = counted(trial)
    keep_changes(trial)
    state = Trial.State.FAILED if failure else Trial.State.READY
    _keep(
        trial,
        state=state,
        counts=counts,
        failure=failure,
        finished_at=clock.now(),
        leased_until=None,
    )
    _record_end(trial, Ref("system", "policy-trials"))


def _record_end(trial: Trial, actor: Ref) -> None:
    facts = {
        "bundle": trial.bundle.digest,
        "state": str(trial.state),
        "days": trial.days,
        "decisions": trial.decisions,
        **{name: trial.counts.get(name, 0) for name in ("looser", "stricter", "otherwise")},
        **{name: trial.counts.get(name, 0) for name in ("unreadable", "identical", "different")},
    }
    record(Verb.TRIAL_ENDED, trial.ref, actor=actor, facts=facts)


@transaction.atomic
def _end(trial: Trial, failure: str, actor: Actor) -> None:
    """End a trial that cannot be carried out, with what is known by now."""
    moved = Trial.objects.filter(pk=trial.pk, state__in=UNDER_WAY).update(
        state=Trial.State.FAILED,
        failure=failure[:500],
        counts=counted(trial),
        finished_at=clock.now(),
        leased_until=None,
    )
    if moved:
        trial.refresh_from_db()
        keep_changes(trial)
        _record_end(trial, actor.ref)


def _put_off(trial: Trial, error: Exception, actor: Actor) -> None:
    words = error.title if isinstance(error, DomainError) else type(error).__name__
    logger.warning("trial %s: %s", trial.public_id, words)
    if trial.attempts + 1 >= MOST_ATTEMPTS:
        _end(trial, words, actor)
        return
    # The lease stays and ends by itself: that is the pause before the next attempt.
    Trial.objects.filter(pk=trial.pk, state__in=UNDER_WAY).update(
        attempts=trial.attempts + 1, failure=words
    )
