"""Looking at a plan's rounds after each of them: what rose, what answers now, what is over.

A figure is compared with the four weeks before, by `fleet.drift.exact`. Who answered is no
matter of chance: a name that was not heard before is told at once.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from math import log10
from statistics import median
from typing import Final

from django.db import transaction

from fleet.drift.actions.telling import end_change, say_change
from fleet.drift.exact import Rise, Told, level_rise, newest, share_rise
from fleet.drift.models import Change, Probe, ProbePlan
from kernel import clock
from kernel.refs import new_id
from registry.actors import Actor

REFERENCE: Final = timedelta(days=28)
SLOWER: Final = 1.25  # a rise that somebody would notice
DEARER: Final = 1.10
_NEWEST: Final = 3  # rounds that show that a figure is as it was
Figure = Change.Figure


@transaction.atomic
def judge_plan(plan: ProbePlan, *, actor: Actor) -> int:
    """Look at a plan after a round; return how many changes are new.

    Records: drift.seen and drift.over for each.
    """
    since = max(plan.since, clock.now() - REFERENCE)
    rows = Probe.objects.filter(round__plan=plan, status=Probe.Status.OK, asked_at__gte=since)
    probes = list(rows.order_by("round_id", "id"))
    if not probes:
        return 0
    new = _rose(plan, Figure.QUALITY, _quality(probes), share_rise, actor)
    new += _rose(plan, Figure.LATENCY, _times(probes), _slower, actor)
    new += _rose(plan, Figure.COST, _costs(probes), _dearer, actor)
    return new + _answered(plan, probes, actor) + _set_up(plan, probes, actor)


def _slower(told: list[Told]) -> Rise | None:
    return level_rise(told, least=SLOWER)


def _dearer(told: list[Told]) -> Rise | None:
    return level_rise(told, least=DEARER)


def _quality(probes: list[Probe]) -> list[Told]:
    return [
        Told(one.round_id, one.golden_id, float(not one.holds))
        for one in probes
        if one.holds is not None
    ]


def _times(probes: list[Probe]) -> list[Told]:
    return [
        Told(one.round_id, one.golden_id, float(one.duration_ms))
        for one in probes
        if one.duration_ms is not None
    ]


def _costs(probes: list[Probe]) -> list[Told]:
    return [
        Told(one.round_id, one.golden_id, float(one.cost_micros))
        for one in probes
        if one.cost_micros is not None
    ]


def _rose(
    plan: ProbePlan,
    figure: Figure,
    told: list[Told],
    rise_of: Callable[[list[Told]], Rise | None],
    actor: Actor,
) -> int:
    standing = _standing(plan, figure)
    if standing is not None:
        now = _level(figure, newest(told, _NEWEST))
        if now is not None and now <= (standing.before + standing.after) / 2:
            end_change(standing, why="The figure is half the way back.", actor=actor)
        return 0
    rise = rise_of(told)
    if rise is None:
        return 0
    change = Change(
        public_id=new_id("chg"),
        watch=plan.watch,
        plan=plan,
        figure=figure,
        before=rise.before,
        after=rise.after,
        calls=rise.answers,
        score=-log10(max(rise.chance, 1e-300)),
        seen_at=clock.now(),
        said=_sentence(figure, rise),
    )
    say_change(change, actor=actor)
    return 1


def _answered(plan: ProbePlan, probes: list[Probe], actor: Actor) -> int:
    turn = probes[-1].round_id
    last = [one.reported_model for one in probes if one.round_id == turn and one.reported_model]
    known = {one.reported_model for one in probes if one.round_id != turn} - {""}
    standing = _standing(plan, Figure.ANSWERED)
    if standing is not None:
        if last and not any(standing.said.startswith(f"{name} answers") for name in last):
            end_change(standing, why="It answers no more.", actor=actor)
        return 0
    # With nothing to compare, what the gateway calls another model is one; unless it was accepted.
    begins = not known and plan.since == plan.added_at
    other = {one.reported_model for one in probes if begins and one.is_substituted}
    strange = [name for name in last if (name not in known if known else name in other)]
    if not strange:
        return 0
    before = ", ".join(sorted(known)[:3]) or plan.watch.model
    said = f"{strange[0]} answers, and not {before}."
    return _event(plan, Figure.ANSWERED, said, len(strange), len(last), actor)


def _set_up(plan: ProbePlan, probes: list[Probe], actor: Actor) -> int:
    turn = probes[-1].round_id
    last = {one.fingerprint for one in probes if one.round_id == turn} - {""}
    known = {one.fingerprint for one in probes if one.round_id != turn} - {""}
    strange = sorted(last - known)
    if not known or not strange:
        return 0
    said = f"system_fingerprint {strange[0]}, not seen before ({len(known)} known)."
    return _event(plan, Figure.FINGERPRINT, said, 1, len(probes), actor)


def _event(plan: ProbePlan, figure: Figure, said: str, part: int, whole: int, actor: Actor) -> int:
    change = Change(
        public_id=new_id("chg"), watch=plan.watch, plan=plan, figure=figure, before=0.0,
        after=part / whole, calls=whole, score=0.0, seen_at=clock.now(), said=said,
    )  # fmt: skip
    say_change(change, actor=actor)
    return 1


def _standing(plan: ProbePlan, figure: Figure) -> Change | None:
    rows = Change.objects.filter(plan=plan, figure=figure, over_at__isnull=True)
    return rows.select_related("watch", "plan__agent").first()


def _level(figure: Figure, told: list[Told]) -> float | None:
    """Return a figure as a change states it: a share, or what a whole round comes to."""
    if not told:
        return None
    if figure == Figure.QUALITY:
        return sum(one.value for one in told) / len(told)
    cases = {one.case for one in told}
    return sum(median([one.value for one in told if one.case == case]) for case in cases)


def _sentence(figure: Figure, rise: Rise) -> str:
    chance = f"By chance once in {min(round(1 / max(rise.chance, 1e-12)), 10**9):,} rounds."
    if figure == Figure.QUALITY:
        return (
            f"{100 * rise.after:.0f} % of {rise.answers} answers fail, after"
            f" {100 * rise.before:.0f} % of {rise.others} before. {chance}"
        )
    if figure == Figure.LATENCY:
        return (
            f"A round takes {rise.after / 1000:.1f} s, after {rise.before / 1000:.1f} s. {chance}"
        )
    return f"A round costs {rise.after / 1e6:.6f}, after {rise.before / 1e6:.6f}. {chance}"
