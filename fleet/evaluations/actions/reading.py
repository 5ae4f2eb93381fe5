"""Opening what an evaluation works with: counted, on record, and seen by nobody.

Owns the reading: entries named by the rows of one evaluation, their payloads opened for the
worker. What cannot be read any more is told, and left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from fleet.evaluations.actions.altered import note_altered
from fleet.evaluations.actions.sealing import record_reading
from fleet.evaluations.models import Case, Evaluation
from fleet.evaluations.queries.recorded import entries_named, results_read
from ledger.reading import Opener, Said, tags_of
from registry.actors import Actor


class Reading:
    """Opens payloads of one evaluation in pieces; each piece is on record before it is opened."""

    def __init__(self, evaluation: Evaluation, actor: Actor, why: str) -> None:
        self._evaluation = evaluation
        self._actor = actor
        self._why = f"{why} ({evaluation.public_id})"
        self._opener = Opener()

    def of(self, entry_ids: Sequence[str]) -> Mapping[str, Said]:
        """Return what entries speak of. Records: payload.read. Raises: PayloadsClosed."""
        wanted = [one for one in dict.fromkeys(entry_ids) if one]
        if not wanted:
            return {}
        with transaction.atomic():
            record_reading(
                self._evaluation.ref,
                actor=self._actor.ref,
                agent=self._evaluation.agent,
                reason=self._why,
                payloads=len(wanted),
            )
        return self._opener.read(wanted)

    def answers_to(self, intent_ids: Sequence[str]) -> dict[str, bytes]:
        """Return what came back to calls, by the entry of each call."""
        read = results_read([one for one in intent_ids if one])
        results = read.found
        if read.altered:
            note_altered(self._evaluation, read.altered, actor=self._actor)
        said = self.of([told.entry_id for told in results.values()])
        found: dict[str, bytes] = {}
        for intent, told in results.items():
            payload = said[told.entry_id].payload if told.entry_id in said else None
            if payload is not None:
                found[intent] = payload
        return found


def tags_for(cases: Sequence[Case]) -> dict[str, str]:
    """Return for whose data each case is sealed, by its entry."""
    entries = entries_named([case.entry_id for case in cases])
    found = tags_of([(one.entry_id, one.recorded_at) for one in entries])
    for case in cases:
        if case.golden is not None:
            found[case.entry_id] = case.golden.tag
    return found
