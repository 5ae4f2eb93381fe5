"""A vendor's notice entered in the portal: what it touches is shown, then it is taken."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from kernel.errors import Conflict, Invalid
from registry.actors import Actor
from registry.portal import sentence, signed_in
from routing.actions.overriding import MAY_OVERRIDE, override_fates
from routing.catalogue.letters import names_in_letter
from routing.forms.notices import NoticeForm
from routing.models import Model
from routing.queries.touching import touched_by_models
from routing.queries.vendors import models_for, vendors_for
from routing.views.showing import field_of


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def notice(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Read a notice, show what it touches, and take it when that is agreed to."""
    actor.require(*MAY_OVERRIDE)
    given = request.POST.copy() if request.method == "POST" else None
    form = NoticeForm(list(vendors_for(actor)), given)
    named: list[Model] = []
    if given is not None and form.is_valid():
        named = _named(actor, form)
        if not named:
            form.add_error("letter", "It names no model of this vendor that is used here.")
        elif "take" in given:
            try:
                override_fates([one.public_id for one in named], form.draft(), actor=actor)
            except (Invalid, Conflict) as error:
                form.add_error(field_of(error, form), sentence(error))
            else:
                many = f"{len(named)} model{'' if len(named) == 1 else 's'}"
                messages.success(request, f"The end of {many} is set by hand.")
                return redirect("routing:models")
        elif not form.errors:
            # The day that was found is written into the form, for everybody to see.
            given["retires_on"] = form.cleaned_data["retires_on"].isoformat()
            form = NoticeForm(list(vendors_for(actor)), given)
            form.is_valid()
    touched = touched_by_models(named)
    context = {
        "form": form,
        "named": [(one, touched.get(one.pk)) for one in named] if not form.errors else [],
    }
    return render(request, "routing/notice.html", context, status=422 if form.errors else 200)


def _named(actor: Actor, form: NoticeForm) -> list[Model]:
    rows = models_for(actor).filter(vendor__name=form.cleaned_data["vendor"])
    models = {one.name: one for one in rows.filter(disabled_at__isnull=True)}
    # What takes their place is named in the same letter, and does not end.
    models.pop(form.cleaned_data["replacement"].strip(), None)
    return [models[name] for name in names_in_letter(form.cleaned_data["letter"], models)]
