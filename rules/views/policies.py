"""The pages of the policy: what judges now, what its rules decided, and what may come next."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods

from kernel.errors import Conflict, Invalid
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in
from rules.actions.proposing import propose_activation
from rules.actions.settings import change_settings
from rules.actions.uploading import upload_bundle
from rules.catalogue import NamedRule, rules_in
from rules.comparing import compare_bundles, sources_of, tests_of
from rules.errors import BundleRefused
from rules.forms.policies import ReasonForm, SettingsForm, UploadForm
from rules.judging import fault_here, who_judges
from rules.models import Activation
from rules.queries.bundles import activations_for, bundle_for, bundles_for, in_force
from rules.queries.decisions import Use, latest_decisions, use_of_rules
from rules.queries.trials import latest_trial

MAY_PROPOSE: Final = (Role.SECURITY, Role.PLATFORM)
ANSWERS: Final = ("allow", "ask", "deny")
_TIMELINE: Final = 12


@signed_in
@require_GET
def policies(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Show what is in force, its rules with what each decided, and the bundles there are."""
    page = cut(
        request,
        found(bundles_for(actor), asked(request, "search"), "title", "note", "digest"),
        ordering="-added_at",
    )
    now = in_force()
    rule, answer = asked(request, "rule"), chosen(request, "answer", ANSWERS)
    use = use_of_rules(actor)
    context = {
        "now": now,
        "judges": who_judges(),
        "fault": fault_here(),
        "rows": _rows(now, use, asked(request, "search")),
        "decisions": latest_decisions(actor, rule=rule, answer=answer),
        "rule": rule,
        "answer": answer,
        "answers": ANSWERS,
        "page": page,
        "history": [_event(each) for each in activations_for(actor).order_by("-pk")[:_TIMELINE]],
        "may_propose": actor.has(*MAY_PROPOSE),
    }
    return render(request, "rules/policies.html", context)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Take a bundle in."""
    actor.require(*MAY_PROPOSE)
    form = UploadForm(
        request.POST if request.method == "POST" else None,
        request.FILES if request.method == "POST" else None,
    )
    problems: Any = []
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        try:
            made = upload_bundle(
                form.given(), title=given["title"], note=given["note"], actor=actor
            )
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
            problems = error.facts.get("problems", [])
        else:
            messages.success(request, f"{made.title} is kept. It judges nothing yet.")
            return redirect("rules:policy", made.public_id)
    status = 422 if form.errors else 200
    context = {"form": form, "problems": problems}
    return render(request, "rules/policy_new.html", context, status=status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def policy(request: HttpRequest, actor: Actor, policy: str) -> HttpResponseBase:
    """Show a bundle; what is posted here asks for its activation."""
    shown = bundle_for(actor, policy)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        actor.require(*MAY_PROPOSE)
    if request.method == "POST" and form.is_valid():
        try:
            review = propose_activation(policy, actor=actor, reason=form.cleaned_data["reason"])
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, "Security is asked. Somebody else decides.")
            return redirect("approvals:review", review.public_id)
    now = in_force()
    other = asked(request, "before")
    before = bundle_for(actor, other) if other else now.bundle if now else None
    context = {
        "bundle": shown,
        "is_in_force": now is not None and now.bundle_id == shown.pk,
        "before": before,
        "compared": compare_bundles(before, shown) if before and before.pk != shown.pk else [],
        "others": list(bundles_for(actor).exclude(pk=shown.pk).order_by("-added_at")[:30]),
        "files": _numbered(sources_of(shown)),
        "tests": _numbered(tests_of(shown)),
        "stretches": list(shown.activations.order_by("-activated_at")[:10]),
        "trial": latest_trial(shown),
        "form": form,
        "may_propose": actor.has(*MAY_PROPOSE),
    }
    return render(request, "rules/policy.html", context, status=422 if form.errors else 200)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def settings(request: HttpRequest, actor: Actor, policy: str) -> HttpResponseBase:
    """Make a further bundle of this one with other settings."""
    actor.require(*MAY_PROPOSE)
    shown = bundle_for(actor, policy)
    whole = json.loads(sources_of(shown)["data.json"])
    form = SettingsForm(request.POST or None, initial=_initial(shown.title, whole))
    if request.method == "POST" and form.is_valid():
        try:
            wanted = _wanted(form.cleaned_data)
            made = change_settings(policy, wanted, title=form.cleaned_data["title"], actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, f"{made.title} is kept. It judges nothing yet.")
            return redirect("rules:policy", made.public_id)
    context = {"form": form, "bundle": shown}
    status = 422 if form.errors else 200
    return render(request, "rules/policy_settings.html", context, status=status)


def _rows(
    now: Activation | None, use: dict[str, Use], words: str
) -> list[tuple[NamedRule, Use, list[dict[str, Any]]]]:
    named = rules_in(_modules(now))
    known = {rule.name for rule in named}
    named += [NamedRule(name, "", "", 0) for name in sorted(use) if name not in known]
    most = max((each.total for each in use.values()), default=0) or 1
    rows = [(rule, use.get(rule.name, Use())) for rule in named]
    wanted = words.lower().split()
    return [
        (rule, used, _bar(used, most))
        for rule, used in rows
        if all(word in f"{rule.name} {rule.sentence}".lower() for word in wanted)
    ]


def _modules(now: Activation | None) -> dict[str, str]:
    if now is None:
        return {}
    return {name: text for name, text in sources_of(now.bundle).items() if name != "data.json"}


def _bar(use: Use, most: int) -> list[dict[str, Any]]:
    begin, parts = 0.0, []
    for name in ANSWERS:
        width = 100 * getattr(use, name) / most
        if width:
            parts.append({"css": f"tone-{TONES[name]}", "begin": begin, "width": max(width, 0.5)})
        begin += width
    return parts


TONES: Final = {"allow": "success", "ask": "warning", "deny": "error"}


def _event(activation: Activation) -> dict[str, Any]:
    return {
        "title": activation.bundle.title,
        "at": activation.activated_at,
        "text": activation.reason,
        "actor": activation.activated_by,
        "url": "",
        "policy": activation.bundle.public_id,
        "review": activation.review_id,
        "is_now": activation.ended_at is None,
    }


def _numbered(files: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "lines": list(enumerate(text.splitlines(), 1))}
        for name, text in files.items()
    ]


def _initial(title: str, whole: dict[str, Any]) -> dict[str, Any]:
    settings = whole.get("settings", {})
    vendors = settings.get("vendors", {})
    cap = settings.get("constraints", {}).get("max_cost_micros")
    return {
        "title": f"{title}, changed"[:200],
        "vendors_allowed": ", ".join(vendors.get("allowed", [])),
        "vendors_refused": ", ".join(vendors.get("refused", [])),
        "ask_classes": ", ".join(settings.get("ask", {}).get("data_classes", [])),
        "max_cost": None if cap is None else Decimal(cap) / 1_000_000,
        "tools_refused": ", ".join(settings.get("tools", {}).get("refused", [])),
        "rest": json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False),
    }


def _wanted(given: dict[str, Any]) -> dict[str, Any]:
    """Return data.json as the form says. Raises: BundleRefused."""
    try:
        whole: Any = json.loads(given["rest"])
        settings = whole["settings"]
        settings["vendors"] |= {
            "allowed": _names(given["vendors_allowed"]),
            "refused": _names(given["vendors_refused"]),
        }
        settings["ask"]["data_classes"] = _names(given["ask_classes"])
        settings["tools"]["refused"] = _names(given["tools_refused"])
        cap = given["max_cost"]
        settings["constraints"]["max_cost_micros"] = None if cap is None else int(cap * 1_000_000)
    except ValueError as error:
        raise BundleRefused(f"data.json cannot be read: {error}.") from None
    except (KeyError, TypeError, AttributeError):
        raise BundleRefused(
            "data.json lacks settings that the fields above belong to; see the shipped one."
        ) from None
    return dict(whole)


def _names(text: str) -> list[str]:
    return [name for name in (part.strip() for part in text.split(",")) if name]
