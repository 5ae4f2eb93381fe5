"""Re-evaluations as they are asked for and looked at: targets, estimates, progress."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from registry.actors import Actor
from routing.errors import ReevaluationNotFound, RunNotFound, TargetNotFound
from routing.models import Call, Model, Reevaluation, Route, Run
from routing.queries.calls import run_shown_to

_LISTED = 500
ASKABLE = ("chat", "responses", "messages")


@dataclass(frozen=True, slots=True)
class Aim:
    """A target by its name, as the gateway is told of it, and the model that prices it."""

    name: str
    told: dict[str, str]
    model: Model | None


def aim_for(name: str) -> Aim:
    """Return a route, or a model as ``vendor/model``. Raises: TargetNotFound."""
    said = name.strip() if "\x00" not in name else ""
    route = Route.objects.filter(name=said, disabled_at__isnull=True).first()
    if route is not None:
        first = route.targets.select_related("model").order_by("priority", "id").first()
        return Aim(said, {"route": said}, None if first is None else first.model)
    vendor, _, wanted = said.partition("/")
    found = (
        Model.objects.filter(vendor__name=vendor, name=wanted, disabled_at__isnull=True)
        .select_related("vendor")
        .first()
    )
    if found is None:
        raise TargetNotFound(
            f"There is no route {said[:80]!r}, and no model of that name (vendor/model)."
        )
    return Aim(said, {"vendor": found.vendor.public_id, "model": found.name}, found)


def target_names() -> tuple[list[str], list[str]]:
    """Return what may be chosen: models as ``vendor/model``, and routes."""
    models = Model.objects.filter(disabled_at__isnull=True, vendor__disabled_at__isnull=True)
    named = models.order_by("vendor__name", "name").values_list("vendor__name", "name")
    routes = Route.objects.filter(disabled_at__isnull=True).order_by("name")
    found = [f"{vendor}/{model}" for vendor, model in named[:_LISTED]]
    return found, list(routes.values_list("name", flat=True)[:_LISTED])


def askable_calls(run_id: str) -> QuerySet[Call]:
    """Return the calls of a run that were answered: the last attempt of each."""
    return Call.objects.filter(run_id=run_id, is_shadow=False).exclude(status=Call.Status.DENIED)


def estimate_of(run_id: str, model: Model | None) -> int | None:
    """Return what the run's tokens would cost on a model; None where a price is unknown."""
    if model is None or model.input_micros_per_mtok is None or model.output_micros_per_mtok is None:
        return None
    total = 0
    for tokens_in, tokens_out in askable_calls(run_id).values_list("input_tokens", "output_tokens"):
        total += tokens_in * model.input_micros_per_mtok + tokens_out * model.output_micros_per_mtok
    return -(-total // 1_000_000)


def reevaluations_of(run: Run) -> QuerySet[Reevaluation]:
    """Return what was made of a run, the newest first."""
    return Reevaluation.objects.filter(run_id=run.run_id).order_by("-id")


def made_by_reevaluation(run: Run) -> Reevaluation | None:
    """Return the re-evaluation that made this run, if one did."""
    return Reevaluation.objects.filter(new_run_id=run.run_id).first()


def reevaluation_for(actor: Actor, public_id: str) -> Reevaluation:
    """Return one whose run this viewer may see. Raises: ReevaluationNotFound."""
    said = "" if "\x00" in public_id else public_id
    found = Reevaluation.objects.filter(public_id=said).first()
    if found is None:
        raise ReevaluationNotFound
    try:
        run_shown_to(actor, found.run_id)
    except RunNotFound:
        raise ReevaluationNotFound from None
    return found
