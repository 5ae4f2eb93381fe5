"""What is kept outside the gateways: keys that were given out, answers that vendors keep."""

from __future__ import annotations

from django.db.models import QuerySet
from django.db.models.functions import Now

from registry.models import AgentKey
from routing.containment.paths import BEYOND, CONTAINED, Evidence, Probe
from routing.models import StoredResponse
from routing.queries.stops import Subject


class IssuedKeys:
    """Keys that agents hold. They open nothing while every gateway refuses what they stand for."""

    def probe(self, probe: Probe) -> list[Evidence]:
        if probe.subject.scope not in {"key", "agent", "owner", "team", "fleet"}:
            return []
        keys = AgentKey.objects.filter(
            agent__in=probe.subject.agents(), revoked_at__isnull=True, expires_at__gt=Now()
        )
        if probe.subject.scope == "key":
            keys = keys.filter(public_id=probe.subject.id)
        count = keys.count()
        how = (
            f"{count} {'key opens' if count == 1 else 'keys open'} nothing while this stands, and"
            " again what they did once it is lifted. A kill of the agent revokes them for good."
            if count
            else "No key of it could be used."
        )
        return [Evidence("keys", CONTAINED, how, open=0)]


class KeptByVendors:
    """Answers, and work in the background, that a vendor keeps: nobody here can call them back."""

    def probe(self, probe: Probe) -> list[Evidence]:
        count = _kept(probe.subject).count()
        if not count:
            return []
        how = (
            f"Vendors keep {count} answers of it under their ids; work begun in the background may"
            " run on there."
        )
        advice = (
            "Nobody reads or goes on with them through a gateway now. Delete them at the vendor."
        )
        return [Evidence("vendors", BEYOND, how, advice, count)]


def _kept(subject: Subject) -> QuerySet[StoredResponse]:
    rows = StoredResponse.objects.all()
    match subject.scope:
        case "vendor":
            return rows.filter(vendor_id=subject.id)
        case "model":
            return rows.filter(model=subject.aims.get("model", ""))
        case "route":
            return rows.filter(route=subject.name)
        case "fleet":
            return rows
        case _:
            return rows.filter(agent_id__in=subject.agents().values("public_id"))
