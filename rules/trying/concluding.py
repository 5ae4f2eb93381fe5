"""The end of a trial: what is counted of it, what is kept of it, what is on record of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

from django.db.models import Count, Max, Min, Sum

from registry.models import Agent
from rules.trying.models import Change, Question, Trial

Found, Own = Question.Found, Question.Own
CHANGED: Final = (Found.LOOSER, Found.STRICTER, Found.OTHERWISE, Found.NO_ANSWER)
MOST_KEPT: Final = 10_000
_GROUP: Final = ("agent_id", "found", "answer", "rule", "new_answer", "new_rule")


def counted(trial: Trial) -> dict[str, int]:
    """Count decisions by what became of them, and questions."""
    rows = Question.objects.filter(trial=trial).values("found", "own")
    sums = rows.annotate(decisions=Sum("decisions"), questions=Count("id"))
    counts = dict.fromkeys((*Found.values, *Own.values, "checked", "not_judged"), 0)
    counts |= {"bundle_unknown": 0, "changed_questions": 0}
    for row in sums.order_by():
        found, own, number = row["found"], row["own"], row["decisions"]
        counts[found or "not_judged"] += number
        if own:
            counts[own] += number
        if own in {Own.IDENTICAL, Own.DIFFERENT}:
            counts["checked"] += number
        if own == Own.UNKNOWN and found not in {Found.UNREADABLE, Found.UNANSWERED}:
            counts["bundle_unknown"] += number
        if found in CHANGED:
            counts["changed_questions"] += row["questions"]
    return counts


def keep_changes(trial: Trial) -> None:
    """Write the changes of each agent together, and let go of what would stay as it is."""
    rows = Question.objects.filter(trial=trial, found__in=CHANGED)
    groups = (
        rows.values(*_GROUP)
        .annotate(
            questions=Count("id"),
            of_all=Sum("decisions"),
            first=Min("first_at"),
            last=Max("last_at"),
            example=Min("id"),
        )
        .order_by(*_GROUP)
    )
    for some in _by_hundreds(groups.iterator(chunk_size=500)):
        _keep_groups(trial, some)
    kept = rows.order_by("-decisions", "id").values("id")[:MOST_KEPT]
    rest = Question.objects.filter(trial=trial).exclude(id__in=kept)
    rest.exclude(own=Own.DIFFERENT).delete()
    odd = Question.objects.filter(trial=trial, own=Own.DIFFERENT).exclude(found__in=CHANGED)
    odd.exclude(id__in=odd.order_by("id").values("id")[:1000]).delete()
    _name_owners(trial)


def _keep_groups(trial: Trial, groups: Any) -> None:
    owners = owners_of({group["agent_id"] for group in groups})
    examples = Question.objects.in_bulk([group["example"] for group in groups])
    Change.objects.bulk_create(
        Change(
            trial=trial,
            owner=owners.get(group["agent_id"], ""),
            constraints=examples[group["example"]].constraints,
            entry_id=examples[group["example"]].entry_id,
            questions=group["questions"],
            decisions=group["of_all"],
            first_at=group["first"],
            last_at=group["last"],
            **{name: group[name] for name in _GROUP},
        )
        for group in groups
    )


def _name_owners(trial: Trial) -> None:
    agents = Question.objects.filter(trial=trial).values_list("agent_id", flat=True).distinct()
    for some in _by_hundreds(agents.order_by("agent_id").iterator()):
        for agent_id, owner in owners_of(set(some)).items():
            Question.objects.filter(trial=trial, agent_id=agent_id).update(owner=owner)


def owners_of(agent_ids: set[str]) -> dict[str, str]:
    """Return who answers for agents now."""
    rows = Agent.objects.filter(public_id__in=agent_ids)
    return dict(rows.values_list("public_id", "owner__public_id"))


def _by_hundreds(rows: Iterable[Any]) -> Iterator[list[Any]]:
    rows = iter(rows)
    while some := list(islice(rows, 500)):
        yield some
