"""The pages of cutovers: the list, and one with its steps, both arms, signatures and buttons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fleet.cutovers.actions.going_back import roll_back
from fleet.cutovers.actions.moving import (
    advance_now,
    cancel_cutover,
    pause_cutover,
    resume_cutover,
)
from fleet.cutovers.actions.settling import settle_cutover
from fleet.cutovers.actions.signing import sign_off, start_without_others
from fleet.cutovers.drawing import track_of
from fleet.cutovers.judging import rise
from fleet.cutovers.models import Cutover, CutoverAgent
from fleet.cutovers.ports import drift_alerts
from fleet.cutovers.queries.cutovers import (
    bound_digest,
    counts_of,
    cutover_for,
    cutovers_seen,
    listed_rows,
    mine_of,
    shifted_rows,
    steps_taken,
)
from fleet.cutovers.queries.evidence import evidence_of
from fleet.cutovers.queries.figures import Sides, figures_of
from fleet.cutovers.views.chart import Stage, charts_of, stages_of
from fleet.cutovers.views.stages import trends_of
from fleet.templatetags.figures import DASH
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import signed_in, told
from routing.latencies import percentile
from routing.queries.shift_sums import sums_by_step
from routing.queries.shifts import why_off

_TONES: Final = {
    "signing": "warning", "running": "info", "paused": "warning", "done": "success",
    "settled": "success", "rolled_back": "error", "cancelled": "neutral",
}  # fmt: skip
_LIMITS: Final = {
    "error_rise": "Errors may rise by", "broken_rise": "Answers out of form may rise by",
    "refused_rise": "Refusals may rise by", "fell_back_share": "Calls that fall back",
    "latency_ratio": "95th percentile, times the source's", "cost_ratio": "Cost of a call, times",
    "drift_alerts": "Alerts of drift that end it", "agents_share": "Agents back that take all",
}  # fmt: skip
_LIMIT_SAID: Final = {"latency_ratio": "{:g}", "cost_ratio": "{:g}", "drift_alerts": "{:.0f}"}


@signed_in
@require_GET
def cutovers(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List those that the viewer may see."""
    rows = cutovers_seen(actor)
    state = chosen(request, "state", Cutover.State.values)
    if state:
        rows = rows.filter(state=state)
    for word in asked(request, "search").split():
        rows = rows.filter(source__name__icontains=word) | rows.filter(target__name__icontains=word)
    page = cut(request, rows, ordering="-begun_at")
    context = {
        "page": page,
        "rows": [(row, _TONES[row.state]) for row in page],
        "states": Cutover.State.choices,
        "state": state,
    }
    return render(request, "cutovers/cutovers.html", context)


@signed_in
@require_GET
def cutover(request: HttpRequest, actor: Actor, cutover: str) -> HttpResponse:
    """Show one: it refreshes itself while it moves."""
    shown = cutover_for(actor, cutover)
    state = chosen(request, "state", CutoverAgent.State.values)
    listed = found(listed_rows(shown, actor), asked(request, "search"), "agent__name")
    page = cut(request, listed.filter(state=state) if state else listed, ordering="name")
    figures = figures_of(shown, shifted_rows(shown, actor), of={row.pk for row in page})
    names = figures.shifts
    stages = stages_of(shown.steps, steps_taken(shown), sums_by_step(names)) if names else []
    counts = counts_of(shown, actor)
    steering, mine = actor.has(Role.PLATFORM), mine_of(shown, actor)
    may_sign = (
        shown.state == Cutover.State.SIGNING
        and mine.filter(state=CutoverAgent.State.WAITING).exists()
    )
    has_moved = shown.state in {*Cutover.MOVING, Cutover.State.DONE, Cutover.State.SETTLED}
    context = {
        "cutover": shown,
        "tone": _TONES[shown.state],
        "is_live": shown.state in {*Cutover.MOVING, Cutover.State.SIGNING, Cutover.State.DONE},
        "track": track_of(shown),
        "page": page,
        "rows": [(row, figures.agents.get(row.pk, [])) for row in page],
        "state": state,
        "states": [
            (value, words, counts[value])
            for value, words in CutoverAgent.State.choices
            if counts[value]
        ],
        "total": sum(counts.values()),
        "waiting": counts[CutoverAgent.State.WAITING],
        "sides": [
            *([("Last minutes", _compared(figures.lately))] if shown.ended_at is None else []),
            ("This step" if shown.ended_at is None else "The last step", _compared(figures.step)),
        ],
        "stages": stages,
        "charts": charts_of(stages, shown.limits, shown.target.currency),
        "trends": trends_of(stages, _alerts_by_stage(shown, stages, actor), shown.limits),
        "evidence": evidence_of(shown, names),
        "alerts": figures.alerts,
        "advance_text": _advance_text(shown),
        "back_text": _back_text(shown, counts),
        "limits": [
            (words, _LIMIT_SAID.get(name, "{:.0%}").format(shown.limits[name]))
            for name, words in _LIMITS.items()
        ],
        "passed": figures.whole,
        "digest": bound_digest(shown) if may_sign else "",
        "events": _events(shown),
        "may_sign": may_sign,
        "may_start": steering and shown.state == Cutover.State.SIGNING,
        "may_steer": steering,
        "may_go_back": has_moved
        and not why_off(shown.source)
        and (steering or actor.has(Role.SECURITY) or mine.exists()),
    }
    return render(request, "cutovers/cutover.html", context)


@signed_in
@require_POST
def act(request: HttpRequest, actor: Actor, cutover: str, deed: str) -> HttpResponse:
    """Do what a button says."""
    cutover_for(actor, cutover)
    reason = request.POST.get("reason", "").replace("\x00", "").strip()
    with told(request):
        match deed:
            case "sign":
                sign_off(cutover, digest=request.POST.get("digest", ""), actor=actor)
            case "start":
                start_without_others(cutover, actor=actor)
            case "advance":
                advance_now(cutover, actor=actor, reason=reason)
            case "pause":
                pause_cutover(cutover, actor=actor, reason=reason)
            case "resume":
                resume_cutover(cutover, actor=actor)
            case "cancel":
                cancel_cutover(cutover, actor=actor, reason=reason)
            case "settle":
                settle_cutover(cutover, actor=actor)
            case _:
                roll_back(cutover, actor=actor, reason=reason)
    return redirect("cutovers:cutover", cutover)


def _alerts_by_stage(cutover: Cutover, stages: Sequence[Stage], actor: Actor) -> list[int]:
    """Return how many alerts of drift there were while each stage lasted."""
    agents = [row.agent.public_id for row in shifted_rows(cutover, actor)] if stages else []
    since = [sum(drift_alerts(agents, cutover.target, one.began_at).values()) for one in stages]
    return [now - later for now, later in zip(since, [*since[1:], 0], strict=False)]


def _advance_text(cutover: Cutover) -> str:
    """Say what the next step will do."""
    following = cutover.step + 1
    if following >= len(cutover.steps):
        return (
            f"All runs have moved: it is done, and {cutover.source.name} stays behind for 14 days."
        )
    share = cutover.steps[following]["percent"]
    waits = f" It waits for {cutover.held_because}." if cutover.held_because else ""
    return f"From {cutover.percent} to {share} % of runs go to {cutover.target.name}.{waits}"


def _back_text(cutover: Cutover, counts: Mapping[str, int]) -> str:
    """Say whom the way back touches, and what it leaves."""
    moved = counts[CutoverAgent.State.SHIFTING] + counts[CutoverAgent.State.DONE]
    return (
        f"{moved} agent{'' if moved == 1 else 's'} with {cutover.percent} % of their runs go back"
        f" to {cutover.source.name}: the next call of each is served by it. Calls in flight end as"
        " they began."
    )


def _compared(sides: Sides) -> list[dict[str, Any]]:
    """Return the rows of a table: both arms side by side, and by how much the one exceeds."""
    source, target = sides.source, sides.target
    lines = [{"name": "Calls", "source": source.calls, "target": target.calls, "rise": ""}]
    for name, ours, of, theirs, whole in (
        ("Errors", target.errors, target.calls, source.errors, source.calls),
        ("Out of form", target.broken, target.checked, source.broken, source.checked),
        ("Refusals", target.refused, target.served, source.refused, source.served),
    ):
        seen = rise(ours, of, theirs, whole)
        between = f"{100 * seen.low:+.1f} to {100 * seen.high:+.1f} points" if of and whole else ""
        lines.append(
            {
                "name": name,
                "source": _share(theirs, whole),
                "target": _share(ours, of),
                "rise": between,
            }
        )
    times = [percentile(each.latencies, 0.95) for each in (source, target)]
    lines.append(
        {"name": "95th percentile", "source": _ms(times[0]), "target": _ms(times[1]), "rise": ""}
    )
    fell = f"{sides.behind.calls} fell back to the source"
    return [*lines, {"name": "Fell back", "source": "", "target": fell, "rise": ""}]


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else DASH


def _ms(value: int | None) -> str:
    return DASH if value is None else f"{value} ms"


def _events(cutover: Cutover) -> list[dict[str, Any]]:
    tones = {"rolled_back": "error", "done": "success", "settled": "success", "held": "warning"}
    rows = cutover.events.select_related("agent").order_by("-id")[:30]
    return [
        {
            "title": row.kind.replace("_", " "),
            "text": " · ".join(filter(None, (row.text, row.entry_id))),
            "at": row.at,
            "tone": tones.get(row.kind, ""),
        }
        for row in rows
    ]
