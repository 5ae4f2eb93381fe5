"""The page on which facts are tried; nothing comes of an answer."""

from __future__ import annotations

import json
from typing import Any, Final

from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from kernel.errors import Invalid, Unavailable
from kernel.pages import asked
from registry.actors import Actor
from registry.portal import sentence, signed_in
from rules.forms.policies import TryForm
from rules.queries.bundles import bundles_for
from rules.queries.decisions import facts_of
from rules.queries.trying import Answer, read_facts_of, try_facts

EXAMPLE: Final = {
    "call": {"route": "classify-invoice", "operation": "chat", "region": ""},
    "agent": {
        "name": "invoice-classifier",
        "stage": "live",
        "data_classes": ["internal"],
        "routes": ["classify-invoice"],
        "team": "finance",
    },
    "target": {
        "vendor": "acme",
        "model": "acme-1",
        "region": "eu",
        "dialect": "openai",
        "data_classes": ["internal"],
    },
    "route": {"name": "classify-invoice", "constraints": {}},
}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def attempt(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Ask a bundle about facts, pasted or taken from a recorded decision."""
    bundles = list(bundles_for(actor).order_by("-added_at").values_list("public_id", "title")[:50])
    recorded = facts_of(actor, asked(request, "input"))
    shown = json.loads(recorded) if recorded else EXAMPLE
    initial = {"facts": json.dumps(shown, indent=2), "policy": asked(request, "policy")}
    form = TryForm(request.POST or None, bundles=bundles, initial=initial)
    answer: Answer | None = None
    if request.method == "POST" and form.is_valid():
        try:
            facts = read_facts_of(form.cleaned_data["facts"])
            answer = try_facts(actor, facts, bundle=form.cleaned_data["policy"])
        except (Invalid, Unavailable) as error:
            form.add_error(None, sentence(error))
    context: dict[str, Any] = {"form": form, "answer": answer, "is_recorded": bool(recorded)}
    return render(request, "rules/policy_try.html", context, status=422 if form.errors else 200)
