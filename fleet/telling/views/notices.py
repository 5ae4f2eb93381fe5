"""The list under the bell: what one was told, unread or all."""

from __future__ import annotations

from typing import Final

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from fleet.telling.actions.reading import note_read
from fleet.telling.queries.messages import copies_for, copy_for
from kernel.pages import asked, chosen, cut, found
from registry.actors import Actor
from registry.portal import signed_in, way_back

_STATES: Final = {"unread": "Unread", "read": "Read"}
_SEARCHED: Final = ("message__title", "message__kind")


@signed_in
@require_GET
def notices(request: HttpRequest, actor: Actor) -> HttpResponse:
    """List what one was told, the newest first."""
    state, rows = chosen(request, "state", _STATES), copies_for(actor)
    if state:
        rows = rows.filter(read_at__isnull=state == "unread")
    words = asked(request, "search")
    rows = found(rows, words, *_SEARCHED)
    select = {
        "name": "state", "label": "Read or not", "any": "All", "value": state,
        "options": list(_STATES.items()),
    }  # fmt: skip
    context = {
        "page": cut(request, rows, ordering="-created_at"),
        "selects": [select],
        "is_narrowed": bool(state or words),
    }
    return render(request, "telling/notices.html", context)


@signed_in
@require_GET
def notice(request: HttpRequest, actor: Actor, notice: str) -> HttpResponse:
    """Go to what a message is about; it counts as read from then on."""
    copy = copy_for(actor, notice)
    if copy is None:
        raise Http404
    note_read(actor=actor, copy=copy.public_id)
    return redirect(copy.message.path)


@signed_in
@require_POST
def read(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Note one message, or all of them, as read."""
    note_read(actor=actor, copy=request.POST.get("notice", "")[:80])
    return redirect(way_back(request, "/notices/"))
