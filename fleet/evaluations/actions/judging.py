"""Having pairs judged: by a judge model in both orders, and by how near their embeddings are.

Owns the arms that judge, which exist only where the criteria name a route for them. They are
asked like any other, in runs of their own. Equal texts are not asked about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import transaction

from fleet.evaluations.actions.beginning import make_arm
from fleet.evaluations.actions.reading import Reading
from fleet.evaluations.comparing.judged import (
    SAME,
    both_orders,
    embedding_body,
    pair_body,
    read_rubric,
    read_verdict,
    rubric_body,
    similarity_in,
    written,
)
from fleet.evaluations.criteria import Criteria
from fleet.evaluations.errors import GoldenInvalid
from fleet.evaluations.expecting.content import GoldenContent, read_content
from fleet.evaluations.models import Arm, Asking, Case, Evaluation, GoldenCase
from ledger.reading import Said
from registry.actors import Actor
from routing.comparing.spoken import Answer, answer_of, question_of
from routing.models import Call

JUDGES: Final = (Arm.Kind.JUDGE, Arm.Kind.JUDGE_BACK, Arm.Kind.EMBEDDING)
_BATCH: Final = 20
State = Asking.State


@transaction.atomic
def make_judges(evaluation: Evaluation, *, actor: Actor) -> None:
    """Make the arms that judge each candidate, and what they are asked.

    Records: nothing; who began the evaluation is on record, and so is each call.
    """
    criteria = Criteria(**evaluation.criteria)
    wanted = [
        (kind, route)
        for kind, route in (
            (Arm.Kind.JUDGE, criteria.judge),
            (Arm.Kind.JUDGE_BACK, criteria.judge),
            (Arm.Kind.EMBEDDING, criteria.embeddings),
        )
        if route
    ]
    for candidate in evaluation.arms.filter(kind=Arm.Kind.CANDIDATE):
        answered = candidate.askings.filter(state=State.ANSWERED).select_related("case__golden")
        for kind, route in wanted:
            if candidate.judges.filter(kind=kind).exists():
                continue
            cases = [one.case for one in answered if _is_judged(kind, one.case)]
            arm = make_arm(evaluation, kind, target=route, judged=candidate)
            Asking.objects.bulk_create([Asking(arm=arm, case=case) for case in cases])


def _is_judged(kind: str, case: Case) -> bool:
    """A golden case is judged by its rubric, once; a recorded one beside the baseline's answer."""
    if case.golden is not None:
        is_rubric = case.golden.expects == GoldenCase.Expects.RUBRIC
        return is_rubric and kind == Arm.Kind.JUDGE
    return case.status == Call.Status.OK


@dataclass(frozen=True, slots=True)
class Bodies:
    """What judges are asked about some cases."""

    said: Mapping[str, Said] = field(repr=False)
    recorded: Mapping[str, bytes] = field(repr=False)
    answers: Mapping[tuple[int, int], bytes] = field(repr=False)  # by candidate and case

    @classmethod
    def of(cls, batch: Sequence[Asking], reading: Reading) -> Bodies:
        """Read what a batch is about. Records: payload.read."""
        cases = {asking.case_id: asking.case for asking in batch}
        pairs = {(asking.arm.judged_id, asking.case_id) for asking in batch}
        mine = Asking.objects.filter(case__in=cases, arm_id__in={arm for arm, _ in pairs})
        named = {(one.arm_id, one.case_id): one.entry_id for one in mine}
        answers = reading.answers_to([*named.values()])
        return cls(
            reading.of([case.entry_id for case in cases.values()]),
            reading.answers_to([case.entry_id for case in cases.values() if not case.golden_id]),
            {pair: answers[entry] for pair, entry in named.items() if entry in answers},
        )

    def body(self, asking: Asking) -> bytes | None:
        """Return the call that one judge is asked; None where there is nothing to ask."""
        case, judged = asking.case, asking.arm.judged_id
        request = self.said[case.entry_id].payload if case.entry_id in self.said else None
        raw = self.answers.get((judged or 0, case.pk))
        if request is None or raw is None:
            return None
        other = answer_of(raw)
        if case.golden_id is not None:
            return _rubric(request, other)
        base = answer_of(self.recorded[case.entry_id]) if case.entry_id in self.recorded else None
        if base is None or written(base) == written(other):
            return None
        return _pair(asking.arm.kind, request, base, other)


def note_judged(evaluation: Evaluation, *, actor: Actor) -> None:
    """Write down beside each pair what judges and embeddings said of it.

    Records: payload.read. Raises: what a reading raises.
    """
    reading = Reading(evaluation, actor, "to read what judges said")
    for candidate in evaluation.arms.filter(kind=Arm.Kind.CANDIDATE):
        judges = {one.kind: one for one in candidate.judges.all()}
        if judges:
            _note_candidate(candidate, judges, reading)


def _note_candidate(candidate: Arm, judges: Mapping[str, Arm], reading: Reading) -> None:
    asked: dict[int, dict[str, Asking]] = {}
    for one in Asking.objects.filter(arm__in=judges.values()).select_related("arm"):
        asked.setdefault(one.case_id, {})[one.arm.kind] = one
    rows = list(candidate.askings.filter(outcome__isnull=False, case_id__in=asked))
    for some in _some(rows):
        named = [one.entry_id for row in some for one in asked[row.case_id].values()]
        answers = reading.answers_to(named)
        models = _models(named)
        for row in some:
            said = dict(asked[row.case_id].items())
            row.outcome = (row.outcome or {}) | _told(row.outcome or {}, said, answers, models)
    Asking.objects.bulk_update(rows, ["outcome"])


def _told(
    outcome: Mapping[str, Any],
    said: Mapping[str, Asking],
    answers: Mapping[str, bytes],
    models: Mapping[str, str],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    one, back = said.get(Arm.Kind.JUDGE), said.get(Arm.Kind.JUDGE_BACK)
    if one is not None and outcome.get("golden") is not None:
        holds = read_rubric(answers.get(one.entry_id))
        found["golden"] = {**outcome["golden"], "ok": holds, "judge": models.get(one.entry_id, "")}
        found["golden"]["fault"] = "the judge says no" if holds is False else ""
    elif one is not None and back is not None:
        found["judge"] = _verdict(outcome, one, back, answers)
        found["judge_model"] = models.get(one.entry_id, "")
    near = said.get(Arm.Kind.EMBEDDING)
    if near is not None:
        is_same = bool((outcome.get("text") or {}).get("exact"))
        found["similarity"] = 1.0 if is_same else similarity_in(answers.get(near.entry_id))
    return found


def _verdict(
    outcome: Mapping[str, Any], one: Asking, back: Asking, answers: Mapping[str, bytes]
) -> str:
    if one.state == State.GONE and (outcome.get("text") or {}).get("exact"):
        return SAME
    return both_orders(
        read_verdict(answers.get(one.entry_id), is_back=False),
        read_verdict(answers.get(back.entry_id), is_back=True),
    )


def _pair(kind: str, request: bytes, base: Answer, other: Answer) -> bytes:
    if kind == Arm.Kind.EMBEDDING:
        return embedding_body(base.text, other.text)
    asked = "\n".join(f"{turn.role}: {turn.text}" for turn in question_of(request).turns)
    first, second = (other, base) if kind == Arm.Kind.JUDGE_BACK else (base, other)
    return pair_body(asked, written(first), written(second))


def _rubric(sealed: bytes, other: Answer) -> bytes | None:
    try:
        content: GoldenContent = read_content(sealed)
    except GoldenInvalid:
        return None
    return rubric_body(str(content.expected.get("rubric", "")), written(other))


def _models(entry_ids: Sequence[str]) -> dict[str, str]:
    calls = Call.objects.filter(intent_id__in=[one for one in entry_ids if one])
    return {one.intent_id: one.reported_model or one.model for one in calls}


def _some(rows: list[Asking]) -> Iterator[list[Asking]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]
