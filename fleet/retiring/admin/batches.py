"""The page of a batch: what it would do, then how far it has come, agent by agent."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse

from fleet.retiring.actions.batches import (
    AT_ONCE,
    Preview,
    begin_batch,
    carry_out,
    drop_batch,
    preview_of,
)
from fleet.retiring.actions.bulk_steps import STEPS
from fleet.retiring.admin.previewing import offer_steps
from fleet.retiring.errors import BatchBegun
from fleet.retiring.forms.batches import BatchForm
from fleet.retiring.models import Batch
from fleet.retiring.queries.batches import batch_for, items_of
from kernel.admin import GovernedAdmin
from kernel.errors import DomainError
from registry.authentication import actor_of
from registry.portal import sentence, told

_COLUMNS: Final = (
    "Agent", "Calls in 90 days", "Keys used in 90 days", "Keys that work", "Leases",
    "Open actions", "Depend on it", "Data",
)  # fmt: skip

offer_steps()


@admin.register(Batch)
class BatchAdmin(GovernedAdmin):
    """One step taken with many agents."""

    list_display: ClassVar[list[str]] = [
        "public_id",
        "step",
        "state",
        "total",
        "made_by",
        "made_at",
    ]
    list_filter: ClassVar[list[str]] = ["state", "step"]
    list_select_related = ("made_by",)
    search_fields: ClassVar[list[str]] = ["public_id", "made_by__email"]
    ordering = ("-id",)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show a batch; of one that is not begun, what it would do, and begin it."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        batch = batch_for(actor_of(request), row.public_id)
        if batch.state != Batch.State.PREVIEW:
            return self._result(request, batch)
        return self._preview(request, batch)

    def _preview(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        if "drop" in request.POST:
            with told(request):
                drop_batch(batch.public_id, actor=actor_of(request))
                messages.info(request, "Nothing was done.")
            return redirect("admin:registry_agent_changelist")
        step = STEPS[batch.step]
        form = BatchForm(step, request.POST if request.method == "POST" else None)
        asked, refusal, seen = form.asked(), "", Preview()
        try:
            seen = preview_of(batch, asked)
        except DomainError as error:
            # Before anything was typed, what is missing is no mistake.
            refusal = sentence(error) if request.method == "POST" else ""
        typed = f"{step.name} {seen.count}"
        if "begin" in request.POST and not refusal and form.is_valid():
            if step.is_dangerous and request.POST.get("typed", "").strip() != typed:
                refusal = f"Nothing was done: type {typed} to confirm."
            else:
                refusal = self._begin(request, batch, asked)
                if not refusal:
                    return redirect("admin:retiring_batch_change", batch.pk)
        context = self.admin_site.each_context(request) | {
            "title": f"{step.title}: {batch.total} agents",
            "opts": self.model._meta,
            "batch": batch,
            "step": step,
            "form": form,
            "seen": seen,
            "columns": _COLUMNS,
            "typed": typed if step.is_dangerous else "",
            "reason": request.POST.get("reason", ""),
            "refusal": refusal,
        }
        status = 422 if refusal else 200
        return TemplateResponse(request, "retiring/admin_preview.html", context, status=status)

    def _begin(self, request: HttpRequest, batch: Batch, asked: dict[str, Any]) -> str:
        """Begin it, and do it at once where that is quick; return why not."""
        actor, reason = actor_of(request), request.POST.get("reason", "")
        try:
            begun = begin_batch(batch.public_id, actor=actor, reason=reason, asked=asked)
        except BatchBegun:
            messages.info(request, "It was begun already; this is how far it has come.")
            return ""
        except DomainError as error:
            return sentence(error)
        if begun.total <= AT_ONCE:
            carry_out(begun)
        return ""

    def _result(self, request: HttpRequest, batch: Batch) -> HttpResponse:
        page = Paginator(items_of(batch), 100).get_page(request.GET.get("page"))
        context = self.admin_site.each_context(request) | {
            "title": f"{STEPS[batch.step].title}: {batch.total} agents",
            "opts": self.model._meta,
            "batch": batch,
            "step": STEPS[batch.step],
            "page": page,
            "is_running": batch.state == Batch.State.RUNNING,
        }
        return TemplateResponse(request, "retiring/admin_batch.html", context)
