"""How vendors, models, routes, runs and calls look on the wire."""

from __future__ import annotations

import json
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ledger.models import Entry
from registry.actors import Actor
from routing.figures import FiguresOutput
from routing.models import Call, Model, Route, RunSummary, Vendor
from routing.queries.vendors import sees_addresses


class VendorOutput(serializers.Serializer[Any]):
    """A vendor; where it is reached and how its secret stands is null to most."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    title = serializers.CharField()
    platform = serializers.CharField()
    profile = serializers.CharField()
    dialect = serializers.CharField()
    auth_scheme = serializers.CharField()
    regions = serializers.ListField(child=serializers.CharField())
    data_classes = serializers.ListField(child=serializers.CharField())
    model_count = serializers.IntegerField(default=0)
    disabled_at = serializers.DateTimeField(allow_null=True)
    disabled_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    base_url = serializers.SerializerMethodField()
    secret = serializers.SerializerMethodField()
    last_test = serializers.SerializerMethodField()

    def get_base_url(self, vendor: Vendor) -> str | None:
        return vendor.base_url if self._sees else None

    def get_secret(self, vendor: Vendor) -> dict[str, Any] | None:
        sealed_at = getattr(vendor, "secret_sealed_at", None)
        if not self._sees or sealed_at is None:
            return None
        return {
            "version": getattr(vendor, "secret_version", None),
            "hint": getattr(vendor, "secret_hint", ""),
            "sealed_at": sealed_at,
        }

    def get_last_test(self, vendor: Vendor) -> dict[str, Any] | None:
        if not self._sees or vendor.last_test is None:
            return None
        return {**vendor.last_test, "tested_at": vendor.last_tested_at}

    @property
    def _sees(self) -> bool:
        return sees_addresses(self.context["actor"])


class NotedVendorOutput(VendorOutput):
    """A vendor after a change, with what people should know about it."""

    notes = serializers.ListField(child=serializers.CharField(), read_only=True)


class AddressOutput(serializers.Serializer[Any]):
    """An address in its normal form, and what to know of it."""

    base_url = serializers.CharField()
    host = serializers.CharField()
    platform = serializers.CharField()
    notes = serializers.ListField(child=serializers.CharField())


class ModelOutput(serializers.Serializer[Any]):
    """A model as one vendor serves it; a price of null is unknown, not free."""

    id = serializers.CharField(source="public_id")
    vendor = serializers.CharField(source="vendor.name")
    platform = serializers.CharField(source="vendor.platform")
    name = serializers.CharField()
    currency = serializers.CharField()
    input_micros_per_mtok = serializers.IntegerField(allow_null=True)
    output_micros_per_mtok = serializers.IntegerField(allow_null=True)
    cached_input_micros_per_mtok = serializers.IntegerField(allow_null=True)
    input_usd_per_mtok = serializers.SerializerMethodField()
    output_usd_per_mtok = serializers.SerializerMethodField()
    cached_input_usd_per_mtok = serializers.SerializerMethodField()
    price_source = serializers.CharField()
    context_tokens = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)
    retires_on = serializers.DateField(allow_null=True)
    deprecated_on = serializers.DateField(allow_null=True)
    replacement = serializers.CharField()
    lifecycle_source = serializers.CharField()
    lifecycle_as_of = serializers.CharField()
    date_precision = serializers.CharField()
    not_before = serializers.DateField(allow_null=True)
    lifecycle_from = serializers.CharField(source="fate_from")
    requests_per_minute = serializers.IntegerField(allow_null=True)
    tokens_per_minute = serializers.IntegerField(allow_null=True)
    disabled_at = serializers.DateTimeField(allow_null=True)

    def get_input_usd_per_mtok(self, model: Model) -> str | None:
        return dollars(model.input_micros_per_mtok)

    def get_output_usd_per_mtok(self, model: Model) -> str | None:
        return dollars(model.output_micros_per_mtok)

    def get_cached_input_usd_per_mtok(self, model: Model) -> str | None:
        return dollars(model.cached_input_micros_per_mtok)


class CatalogueRowOutput(serializers.Serializer[Any]):
    """What the current source says of one model on one platform."""

    platform = serializers.CharField()
    name = serializers.CharField(source="model_id")
    canonical_name = serializers.CharField(source="canonical_id")
    version = serializers.CharField(source="model_version")
    provider = serializers.CharField()
    status = serializers.CharField()
    announced_on = serializers.DateField(allow_null=True)
    retires_on = serializers.DateField(allow_null=True)
    date_precision = serializers.CharField()
    conflicting_dates = serializers.ListField(child=serializers.DateField())
    replacement = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    note = serializers.CharField()
    source = serializers.CharField(source="source_url")  # type: ignore[assignment]
    obtained_via = serializers.CharField()
    as_of = serializers.CharField()


class TargetOutput(serializers.Serializer[Any]):
    """One model that may serve a route, in the order they are tried."""

    vendor = serializers.CharField(source="model.vendor.name")
    model = serializers.CharField(source="model.name")
    region = serializers.CharField()
    weight = serializers.IntegerField()
    priority = serializers.IntegerField()
    canary_percent = serializers.IntegerField(allow_null=True)
    first_byte_ms = serializers.IntegerField(allow_null=True)


class PassedOutput(serializers.Serializer[Any]):
    """A target that may be chosen by price or speed, and why."""

    vendor = serializers.CharField(source="model.vendor.name")
    model = serializers.CharField(source="model.name")
    region = serializers.CharField()
    passed_at = serializers.DateTimeField(source="passed_eval_at")
    reason = serializers.CharField(source="passed_eval_reason")


class RouteOutput(serializers.Serializer[Any]):
    """A task route: the name agents call, and what may serve it."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    aliases = serializers.ListField(child=serializers.CharField())
    title = serializers.CharField()
    revision = serializers.IntegerField()
    targets = TargetOutput(many=True)
    passed = serializers.SerializerMethodField()
    constraints = serializers.JSONField()
    options = serializers.JSONField()
    disabled_at = serializers.DateTimeField(allow_null=True)
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()

    @extend_schema_field(PassedOutput(many=True))
    def get_passed(self, route: Route) -> list[dict[str, Any]]:
        passed = [row for row in route.targets.all() if row.passed_eval_at is not None]
        return [PassedOutput(row).data for row in passed]


class NotedRouteOutput(RouteOutput):
    """A route after it was set, with what people should know about it."""

    notes = serializers.ListField(child=serializers.CharField(), read_only=True)


class RunOutput(serializers.Serializer[Any]):
    """One unit of an agent's work, with the sums of its calls."""

    id = serializers.CharField(source="run_id")
    agent = serializers.CharField(source="agent_name", allow_null=True)
    agent_id = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    started_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=RunSummary.State.choices)
    outcome = serializers.ChoiceField(choices=RunSummary.Outcome.choices)
    calls = serializers.IntegerField(source="call_count")
    failed = serializers.IntegerField(source="failed_count")
    denied = serializers.IntegerField(source="denied_count")
    attempts = serializers.IntegerField(source="attempt_count")
    shadows = serializers.IntegerField(source="shadow_count")
    substituted = serializers.IntegerField(source="substituted_count")
    in_flight = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    unpriced_calls = serializers.IntegerField()
    duration_ms = serializers.IntegerField(source="length_ms")
    model_steps = serializers.IntegerField()
    deterministic_steps = serializers.IntegerField()
    tools = serializers.IntegerField(source="tool_count")
    proposals = serializers.IntegerField(source="proposal_count")
    effects = serializers.IntegerField(source="effect_count")
    reported = serializers.IntegerField(source="reported_count")
    findings = serializers.IntegerField(source="finding_count")
    last_call_at = serializers.DateTimeField(allow_null=True)
    last_at = serializers.DateTimeField()


class LinkedRunOutput(serializers.Serializer[Any]):
    """A run that another one works for, or the other way round."""

    id = serializers.CharField(source="run.run_id")
    agent = serializers.CharField(source="run.agent_name", allow_null=True)
    label = serializers.CharField(source="run.label")  # type: ignore[assignment]
    delegation = serializers.CharField(source="delegation_id")


class ReportedUseOutput(serializers.Serializer[Any]):
    """What its agent reported of a run; in no sum of the gateway's own."""

    steps = serializers.IntegerField()
    failed = serializers.IntegerField()
    observed = serializers.IntegerField(help_text="Of calls that the gateway saw, and counts.")
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_micros = serializers.DictField(child=serializers.IntegerField())


class OneRunOutput(RunOutput):
    """A run, the run it works for, and those that work for it."""

    parent_run = serializers.CharField(allow_null=True)
    parents = LinkedRunOutput(many=True)
    children = LinkedRunOutput(many=True)
    reported_use = ReportedUseOutput()


class CallOutput(serializers.Serializer[Any]):
    """One governed attempt of a call; a cost of null means that the price is unknown.

    The attempts of one call have the same `call`; a shadow is none of them, its attempt is 0.
    """

    id = serializers.CharField(source="intent_id")
    call = serializers.CharField()
    attempt = serializers.IntegerField()
    fallback_reason = serializers.CharField()
    choice = serializers.CharField()
    is_shadow = serializers.BooleanField()
    is_substituted = serializers.BooleanField()
    run = serializers.CharField(source="run_id")
    agent = serializers.CharField(source="agent_name", allow_null=True)
    agent_id = serializers.CharField()
    key_id = serializers.CharField()
    route = serializers.CharField()
    requested_model = serializers.CharField()
    vendor = serializers.CharField()
    model = serializers.CharField()
    reported_model = serializers.CharField()
    status = serializers.ChoiceField(choices=Call.Status.choices)
    http_status = serializers.IntegerField()
    error_code = serializers.CharField()
    streamed = serializers.BooleanField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cached_tokens = serializers.IntegerField()
    usage_estimated = serializers.BooleanField()
    cost_micros = serializers.IntegerField(allow_null=True)
    currency = serializers.CharField()
    started_at = serializers.DateTimeField()
    first_byte_ms = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.IntegerField()


class RunEntryOutput(serializers.Serializer[Any]):
    """One ledger entry: its header as recorded, and the hashes that hold it in its chain."""

    id = serializers.CharField(source="entry_id")
    stream = serializers.CharField()
    writer = serializers.CharField()
    seq = serializers.IntegerField()
    kind = serializers.CharField()
    verb = serializers.CharField()
    actor = serializers.CharField()
    subject = serializers.CharField()
    intent = serializers.CharField(source="intent_id", allow_null=True)
    recorded_at = serializers.DateTimeField()
    facts = serializers.SerializerMethodField()
    prev_hash = serializers.SerializerMethodField()
    leaf_hash = serializers.SerializerMethodField()
    header = serializers.SerializerMethodField()

    def get_facts(self, entry: Entry) -> dict[str, Any]:
        facts: dict[str, Any] = json.loads(bytes(entry.header)).get("facts", {})
        return facts

    def get_prev_hash(self, entry: Entry) -> str:
        return bytes(entry.prev_hash).hex()

    def get_leaf_hash(self, entry: Entry) -> str:
        return bytes(entry.leaf_hash).hex()

    def get_header(self, entry: Entry) -> str:
        return bytes(entry.header).decode()


class StepOutput(serializers.Serializer[Any]):
    """One step of a test of a vendor."""

    name = serializers.CharField()
    ok = serializers.BooleanField()
    ms = serializers.IntegerField()
    http_status = serializers.IntegerField()
    detail = serializers.CharField()
    entry = serializers.CharField()


class VendorTestOutput(serializers.Serializer[Any]):
    """How a test of a vendor went, and what it says it serves."""

    ok = serializers.BooleanField()
    model = serializers.CharField()
    steps = StepOutput(many=True)
    models = serializers.ListField(child=serializers.CharField())


class UsedOutput(FiguresOutput):
    """Sums of calls."""

    errors = serializers.IntegerField()  # type: ignore[assignment]
    duration_ms = serializers.IntegerField()


class UsedByOutput(serializers.Serializer[Any]):
    """Sums of calls under the name they belong to."""

    name = serializers.CharField()
    used = UsedOutput()


class UsageOutput(serializers.Serializer[Any]):
    """Usage of the last days as far as it is counted."""

    counted_at = serializers.DateTimeField(allow_null=True)
    total = UsedOutput()
    results = UsedByOutput(many=True)


def vendor_shown(vendor: Vendor, actor: Actor) -> dict[str, Any]:
    """Return a vendor as this viewer may see it."""
    return VendorOutput(vendor, context={"actor": actor}).data


def route_shown(route: Route) -> dict[str, Any]:
    """Return a route as everybody sees it."""
    return RouteOutput(route).data


def dollars(micros: int | None) -> str | None:
    """Write micro-dollars as a decimal string without needless zeros; unknown stays null."""
    if micros is None:
        return None
    whole, rest = divmod(micros, 1_000_000)
    return f"{whole}.{rest:06d}".rstrip("0").rstrip(".") if rest else str(whole)
