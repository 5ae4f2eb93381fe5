"""The pages of connections and operations, and the dry run that shows the bytes."""

from __future__ import annotations

import json
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from effects.actions import connections as act
from effects.actions.operations import WantedOperation, add_operation, dry_run, retire_operation
from effects.forms import ConnectionChangeForm, ConnectionForm, OperationForm, SecretForm
from effects.models import Connection, Operation
from effects.queries.connections import (
    connection_for,
    connections_for,
    operation_for,
    operations_for,
    secret_shown,
)
from kernel.errors import Conflict, DomainError, Invalid
from kernel.pages import cut
from registry.actors import Actor
from registry.models import Role
from registry.portal import sentence, signed_in, told

_DRAWN: Final = ("arguments_schema", "template", "lookup", "checks")


@signed_in
@require_GET
def connections(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List the connections."""
    page = cut(request, connections_for(actor), ordering="-added_at")
    return render(
        request,
        "effects/connections.html",
        {"page": page, "may_add": actor.has(Role.PLATFORM)},
    )


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Add a connection."""
    actor.require(Role.PLATFORM)
    form = ConnectionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            added = act.add_connection(act.WantedConnection(**form.cleaned_data), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(_field(form, error), sentence(error))
        else:
            messages.success(request, f"{added.title} is connected. Add what may be done there.")
            return redirect("effects:connection", added.name)
    status = 422 if form.errors else 200
    return render(request, "effects/connection_new.html", {"form": form}, status=status)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def connection(request: HttpRequest, actor: Actor, connection: str) -> HttpResponseBase:
    """Show one connection; what is posted here changes it."""
    shown = connection_for(actor, connection)
    form = ConnectionChangeForm(request.POST or None, initial=_drawn(shown))
    had_secret = secret_shown(shown) is not None
    if request.method == "POST":
        actor.require(Role.PLATFORM)
    if request.method == "POST" and form.is_valid():
        try:
            act.change_connection(connection, form.cleaned_data, actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(_field(form, error), sentence(error))
        else:
            messages.success(request, "Changed. What was approved before and not sent is void.")
            if secret_shown(shown) is None and had_secret:
                messages.warning(
                    request, "Its address changed, so its secret was retired: enter it again."
                )
            return redirect("effects:connection", connection)
    context = {
        "connection": shown,
        "settings": json.dumps(shown.settings, indent=2, ensure_ascii=False),
        "secret": secret_shown(shown),
        "operations": list(operations_for(actor, connection).order_by("name")[:200]),
        "form": form,
        "secret_form": SecretForm(),
        "may_change": actor.has(Role.PLATFORM),
        "may_stop": actor.has(Role.PLATFORM, Role.SECURITY),
    }
    status = 422 if form.errors else 200
    return render(request, "effects/connection.html", context, status=status)


@signed_in
@require_POST
def secret(request: HttpRequest, actor: Actor, connection: str) -> HttpResponse:
    """Seal a secret."""
    actor.require(Role.PLATFORM)
    form = SecretForm(request.POST)
    with told(request):
        value = form.cleaned_data["value"] if form.is_valid() else ""
        act.set_connection_secret(connection, value, actor=actor)
        messages.success(request, "The secret is sealed. The one before is retired.")
    return redirect("effects:connection", connection)


@signed_in
@require_POST
def attempt(request: HttpRequest, actor: Actor, connection: str) -> HttpResponse:
    """Have the worker try it."""
    act.ask_for_test(connection, actor=actor)
    messages.success(request, "The worker tries it; the result appears here in a moment.")
    return redirect("effects:connection", connection)


@signed_in
@require_POST
def disable(request: HttpRequest, actor: Actor, connection: str) -> HttpResponse:
    """Send nothing there any more."""
    act.disable_connection(connection, actor=actor, reason=request.POST.get("reason", ""))
    messages.success(request, "Nothing is sent there any more.")
    return redirect("effects:connection", connection)


@signed_in
@require_POST
def enable(request: HttpRequest, actor: Actor, connection: str) -> HttpResponse:
    """Let actions go there again."""
    with told(request):
        act.enable_connection(connection, actor=actor)
        messages.success(request, "Actions may go there again.")
    return redirect("effects:connection", connection)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def operation_new(request: HttpRequest, actor: Actor, connection: str) -> HttpResponseBase:
    """Add an operation, or a further version of one."""
    actor.require(Role.PLATFORM)
    found = connection_for(actor, connection)
    start = None
    if name := request.GET.get("from", ""):
        start = _operation_drawn(operation_for(actor, connection, name))
    form = OperationForm(request.POST or None, initial=start)
    if request.method == "POST" and form.is_valid():
        try:
            made = add_operation(connection, _wanted(form), actor=actor)
        except (Invalid, Conflict) as error:
            form.add_error(_field(form, error), sentence(error))
        else:
            messages.success(request, f"{made.target} may be proposed, as version {made.version}.")
            return redirect("effects:connection", connection)
    context = {"connection": found, "form": form}
    status = 422 if form.errors else 200
    return render(request, "effects/operation_new.html", context, status=status)


@signed_in
@require_POST
def operation_check(request: HttpRequest, actor: Actor, connection: str) -> HttpResponse:
    """Look at an operation while it is written: what is wrong, or the bytes it would send."""
    actor.require(Role.PLATFORM)
    found = connection_for(actor, connection)
    form, context = OperationForm(request.POST), dict[str, Any]()
    if form.is_valid():
        try:
            plan = dry_run(found, _wanted(form), form.cleaned_data["arguments"], actor=actor)
            context["parts"] = plan.parts
        except DomainError as error:
            context["problem"] = sentence(error)
    else:
        context["problem"] = next(
            f"{form[name].label if name in form.fields else ''}: {errors[0]}"
            for name, errors in form.errors.items()
        )
    return render(request, "effects/_dry_run.html", context)


@signed_in
@require_GET
def operation(request: HttpRequest, actor: Actor, connection: str, operation: str) -> HttpResponse:
    """Show one operation and its versions."""
    shown = operation_for(actor, connection, operation)
    versions = operations_for(actor, connection, all_versions=True).filter(name=operation)
    drawn = [(name, json.dumps(getattr(shown, name), indent=2)) for name in _DRAWN]
    context = {
        "operation": shown,
        "drawn": drawn,
        "versions": list(versions.order_by("-version")[:50]),
        "may_change": actor.has(Role.PLATFORM),
        "may_stop": actor.has(Role.PLATFORM, Role.SECURITY),
    }
    return render(request, "effects/operation.html", context)


@signed_in
@require_POST
def operation_retire(
    request: HttpRequest, actor: Actor, connection: str, operation: str
) -> HttpResponse:
    """Let it be proposed no more."""
    reason = request.POST.get("reason", "")
    retire_operation(connection, operation, actor=actor, reason=reason)
    messages.success(request, f"{operation} is proposed no more.")
    return redirect("effects:connection", connection)


def _wanted(form: OperationForm) -> WantedOperation:
    given = {name: value for name, value in form.cleaned_data.items() if name != "arguments"}
    return WantedOperation(**given)


def _field(form: ConnectionForm | OperationForm, error: DomainError) -> str | None:
    named = str(error.facts.get("field", "")).partition("/")[0]
    return named if named in form.fields else None


def _drawn(connection: Connection) -> dict[str, Any]:
    return {
        "title": connection.title,
        "settings": json.dumps(connection.settings, indent=2, ensure_ascii=False),
        "credential": connection.credential,
        "credential_settings": json.dumps(connection.credential_settings, ensure_ascii=False),
        "allow_private": connection.allow_private,
    }


def _operation_drawn(operation: Operation) -> dict[str, Any]:
    plain = ("name", "title", "effect", "idempotency", "is_reversible", "description")
    drawn = {name: getattr(operation, name) for name in plain}
    return drawn | {
        name: json.dumps(getattr(operation, name), indent=2, ensure_ascii=False) for name in _DRAWN
    }
