"""Which models an agent is served by, and which might take their place."""

from __future__ import annotations

from datetime import timedelta

from django.db.models import Sum

from fleet.evaluations.errors import CandidateUnusable
from fleet.evaluations.queries.recorded import DAYS
from kernel import clock
from registry.models import Agent
from routing.models import Model, ModelUse, RouteTarget

_LISTED = 500


def baselines_of(agent: Agent) -> list[Model]:
    """Return the models that served an agent lately, the most used first."""
    used = (
        ModelUse.objects.filter(
            agent_id=agent.public_id, last_called_at__gte=clock.now() - timedelta(days=DAYS)
        )
        .values("vendor", "model")
        .annotate(times=Sum("calls"))
        .order_by("-times")
    )
    names = [(row["vendor"], row["model"]) for row in used]
    if not names:
        return _of_routes(agent)
    models = Model.objects.filter(vendor__name__in=[vendor for vendor, _ in names])
    known = {(one.vendor.name, one.name): one for one in models.select_related("vendor")}
    return [known[name] for name in names if name in known] or _of_routes(agent)


def candidates_for(baseline: Model | None) -> list[Model]:
    """Return every model that may be a candidate, by name."""
    models = Model.objects.filter(disabled_at__isnull=True, vendor__disabled_at__isnull=True)
    if baseline is not None:
        models = models.exclude(pk=baseline.pk)
    return list(models.select_related("vendor").order_by("vendor__name", "name")[:_LISTED])


def model_named(name: str) -> Model:
    """Return a model by ``vendor/model``, also one not in use. Raises: CandidateUnusable."""
    vendor, _, wanted = name.replace("\x00", "").strip().partition("/")
    models = Model.objects.filter(vendor__name=vendor, name=wanted).select_related("vendor")
    found = models.first()
    if found is None:
        raise CandidateUnusable(f"There is no model {name[:80]!r}: name one as vendor/model.")
    return found


def _of_routes(agent: Agent) -> list[Model]:
    targets = RouteTarget.objects.filter(route__name__in=agent.routes, route__disabled_at=None)
    ordered = targets.select_related("model__vendor").order_by("route__name", "priority", "id")
    return list(dict.fromkeys(target.model for target in ordered))
