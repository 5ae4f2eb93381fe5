"""What the REST wire of routing takes: bodies and queries, every unknown field named.

Prices are US dollars per million tokens, as decimal strings or numbers with at most six
places; they are kept and given back as whole micro-dollars beside the decimals.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers
from rest_framework.request import Request

from kernel.api import Input, ListQuery, Text
from routing.models import RunSummary
from routing.queries.run_lists import HAS

PRICES: Final = ("input", "output", "cached_input")


def said(body: type[Input], request: Request) -> dict[str, Any]:
    """Return the body's values. Raises ValidationError naming each wrong field."""
    return read(body, request.data)


def read(body: type[Input], given: Any) -> dict[str, Any]:
    """Return the values of one document. Raises ValidationError naming each wrong field."""
    checked = body(data=given)
    checked.is_valid(raise_exception=True)
    values: dict[str, Any] = checked.validated_data
    return values


def with_micros(values: dict[str, Any]) -> dict[str, Any]:
    """Turn prices in dollars into whole micro-dollars, leaving the rest as it is."""
    turned = dict(values)
    for name in PRICES:
        key = f"{name}_usd_per_mtok"
        if key in turned:
            dollars: Decimal | None = turned.pop(key)
            turned[f"{name}_micros_per_mtok"] = (
                None if dollars is None else int(dollars * 1_000_000)
            )
    return turned


def _profile() -> Text:
    return Text(
        required=False, allow_blank=True, max_length=40,
        help_text="What it takes of a call, such as mistral. Empty: every call as it came."
        " Not said: guessed from the address.",
    )  # fmt: skip


def _words() -> serializers.ListField:
    return serializers.ListField(child=Text(max_length=100), required=False, max_length=50)


def _price(what: str) -> serializers.DecimalField:
    return serializers.DecimalField(
        max_digits=12, decimal_places=6, min_value=Decimal(0), required=False, allow_null=True,
        help_text=f"US dollars per million {what} tokens, such as \"2.50\"; null is unknown.",
    )  # fmt: skip


def _tokens() -> serializers.IntegerField:
    return serializers.IntegerField(
        min_value=1, max_value=2**31 - 1, required=False, allow_null=True
    )


class VendorInput(Input):
    """A vendor to connect."""

    name = Text(max_length=63)
    dialect = Text(max_length=20, help_text="openai or anthropic")
    base_url = Text(max_length=600, help_text="Up to the version, such as https://host/v1")
    title = Text(required=False, allow_blank=True, max_length=200)
    platform = Text(required=False, allow_blank=True, max_length=63)
    profile = _profile()
    auth_scheme = Text(required=False, max_length=20)
    regions = _words()
    data_classes = _words()


class VendorChangeInput(Input):
    """What to change of a vendor; a field left out stays as it is."""

    base_url = Text(required=False, max_length=600)
    title = Text(required=False, allow_blank=True, max_length=200)
    platform = Text(required=False, allow_blank=True, max_length=63)
    profile = _profile()
    auth_scheme = Text(required=False, max_length=20)
    regions = _words()
    data_classes = _words()


class SecretInput(Input):
    """A vendor's secret; it can be put in and never read back."""

    value = Text(max_length=20000, trim_whitespace=False)


class StopInput(Input):
    """Why something is stopped."""

    reason = Text(max_length=500, required=False, allow_blank=True, default="")


class NoInput(Input):
    """A body that says nothing: the address says it all."""


class TestInput(Input):
    """Which model to try with a small call; one is chosen when none is named."""

    model = Text(required=False, allow_blank=True, max_length=200, default="")


class AddressInput(Input):
    """An address to look at before anything is stored."""

    base_url = Text(max_length=600)
    dialect = serializers.ChoiceField(choices=["openai", "anthropic"], default="openai")


class ModelInput(Input):
    """A model of a vendor; prices and dates left out come from the catalogue."""

    name = Text(max_length=200)
    input_usd_per_mtok = _price("input")
    output_usd_per_mtok = _price("output")
    cached_input_usd_per_mtok = _price("cached input")
    price_source = Text(required=False, allow_blank=True, max_length=200)
    context_tokens = _tokens()
    max_output_tokens = _tokens()


class ModelChangeInput(Input):
    """What to change of a model; null gives a price or a date back to the catalogue."""

    input_usd_per_mtok = _price("input")
    output_usd_per_mtok = _price("output")
    cached_input_usd_per_mtok = _price("cached input")
    price_source = Text(required=False, allow_blank=True, max_length=200)
    context_tokens = _tokens()
    max_output_tokens = _tokens()
    retires_on = serializers.DateField(required=False, allow_null=True)
    deprecated_on = serializers.DateField(required=False, allow_null=True)
    replacement = Text(required=False, allow_null=True, allow_blank=True, max_length=200)
    lifecycle_source = Text(required=False, allow_blank=True, max_length=500)
    requests_per_minute = _tokens()
    tokens_per_minute = _tokens()


class TargetInput(Input):
    """One model that may serve a route."""

    vendor = Text(max_length=63)
    model = Text(max_length=200)
    weight = serializers.IntegerField(min_value=1, max_value=10000, default=100)
    priority = serializers.IntegerField(min_value=0, max_value=1000, default=0)
    region = Text(required=False, allow_blank=True, max_length=63, default="")
    canary_percent = serializers.IntegerField(
        required=False, allow_null=True, min_value=0, max_value=100, default=None,
        help_text="Serve this share of runs first, and no others. Null: an ordinary target.",
    )  # fmt: skip
    first_byte_ms = serializers.IntegerField(
        required=False, allow_null=True, min_value=50, max_value=3_600_000, default=None,
        help_text="Go on to another target when nothing came by then. Null: as the route says.",
    )  # fmt: skip


class OverrideInput(Input):
    """One target put first until a moment."""

    vendor = Text(max_length=63)
    model = Text(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=63, default="")
    until = Text(max_length=40, help_text="Such as 2026-12-01T18:00:00Z; at most 30 days ahead.")
    reason = Text(max_length=500)


class ShadowInput(Input):
    """A target that a share of calls is sent to as well; what it answers goes nowhere."""

    vendor = Text(max_length=63)
    model = Text(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=63, default="")
    percent = serializers.IntegerField(min_value=1, max_value=100)


class NamedTargetInput(Input):
    """A target of the route, by name."""

    vendor = Text(max_length=63)
    model = Text(max_length=200)
    region = Text(required=False, allow_blank=True, max_length=63, default="")


class EvalGateInput(NamedTargetInput):
    """Whether a target may be chosen by price or speed, and why."""

    passed = serializers.BooleanField()
    reason = Text(max_length=500)


class OptionsInput(Input):
    """How far a route goes for an answer."""

    fallback_on = serializers.ListField(
        child=Text(max_length=10), required=False,
        help_text="connect, timeout, broken, 5xx, or statuses such as 429. Empty: never go on."
        " Not said: connect, timeout, broken, 5xx and 429.",
    )  # fmt: skip
    retries = serializers.IntegerField(
        required=False, min_value=0, max_value=3,
        help_text="How often a target is tried again before the next one. Not said: not at all.",
    )  # fmt: skip
    deadline_ms = serializers.IntegerField(
        required=False, allow_null=True, min_value=50, max_value=3_600_000,
        help_text="For the whole call: every attempt, and the answer to its end.",
    )  # fmt: skip
    first_byte_ms = serializers.IntegerField(
        required=False, allow_null=True, min_value=50, max_value=3_600_000,
        help_text="For each attempt, until its answer begins.",
    )  # fmt: skip
    sticky = serializers.BooleanField(
        required=False, help_text="Keep a run on one of the targets that share by weight."
    )
    translate = serializers.BooleanField(
        required=False,
        help_text="Say calls in the words of targets in the other dialect. Not said: yes.",
    )
    drop_hints = serializers.BooleanField(
        required=False,
        help_text="Leave out hints that a target does not know, and record it. Not said: refuse.",
    )
    send_trace = serializers.BooleanField(
        required=False,
        help_text="Send the ids of a call's trace to its vendor, too. Not said: no.",
    )
    tools = serializers.ChoiceField(
        required=False, choices=["allow", "strip", "block"],
        help_text="What becomes of tools that agents do not declare. Not said: as policy has it.",
    )  # fmt: skip
    override = OverrideInput(required=False, allow_null=True)
    shadow = ShadowInput(required=False, allow_null=True)
    choose = serializers.ChoiceField(
        required=False, choices=["listed", "cheapest", "fastest"],
        help_text="Who is first among targets of one priority that passed their eval gate.",
    )  # fmt: skip
    steps = serializers.DictField(
        required=False, help_text='By step: {"extract": {"choose": "cheapest", "first": [target]}}.'
    )
    detectors = serializers.DictField(
        required=False, help_text='By direction: {"request": {"card": "redact"}, "response": {}}.'
    )


class RouteInput(Input):
    """A whole route: what is not said here is not so afterwards."""

    title = Text(required=False, allow_blank=True, max_length=200, default="")
    aliases = serializers.ListField(
        child=Text(max_length=100), required=False, default=list, max_length=20,
        help_text="Further names that agents which declare this route may call it by.",
    )  # fmt: skip
    targets = TargetInput(many=True)
    constraints = serializers.DictField(required=False)
    options = OptionsInput(required=False)
    revision = serializers.IntegerField(
        required=False, min_value=0, help_text="The revision you have read; as If-Match does."
    )


class ModelsQuery(ListQuery):
    """The query of the list of models."""

    retiring_before = serializers.DateField(required=False)
    vendor = Text(required=False, max_length=63)
    platform = Text(required=False, max_length=63)
    catalogue = serializers.ChoiceField(choices=["all", "configured"], default="configured")


class RunsQuery(ListQuery):
    """The query of the list of runs: everything that is said must hold."""

    agent = Text(required=False, max_length=63)
    owner = Text(required=False, max_length=254, help_text="An address or a person's id.")
    team = Text(required=False, max_length=63)
    state = serializers.ChoiceField(choices=RunSummary.State.values, required=False)
    outcome = serializers.ChoiceField(choices=RunSummary.Outcome.values, required=False)
    error = Text(required=False, max_length=200, help_text="An error code of one of its calls.")
    model = Text(required=False, max_length=200, help_text="Asked for, or served by.")
    vendor = Text(required=False, max_length=63)
    route = Text(required=False, max_length=100)
    tool = Text(required=False, max_length=200)
    has = Text(required=False, max_length=200, help_text=f"Any of {', '.join(HAS)}; with commas.")
    since = serializers.DateTimeField(required=False, help_text="Began then or later.")
    until = serializers.DateTimeField(required=False, help_text="Began before.")
    min_cost_micros = serializers.IntegerField(required=False, min_value=0, max_value=2**62)
    max_cost_micros = serializers.IntegerField(required=False, min_value=0, max_value=2**62)
    min_duration_ms = serializers.IntegerField(required=False, min_value=0, max_value=2**62)
    max_duration_ms = serializers.IntegerField(required=False, min_value=0, max_value=2**62)

    def validate_has(self, value: str) -> list[str]:
        named = [word.strip() for word in value.split(",") if word.strip()]
        if unknown := sorted(set(named) - HAS.keys()):
            offer = ", ".join(HAS)
            raise serializers.ValidationError(f"Not known: {', '.join(unknown)}. Known: {offer}.")
        return named


class EntriesQuery(ListQuery):
    """The query of the list of a run's entries."""

    kind = Text(required=False, max_length=40)
    verb = Text(required=False, max_length=60)
    intent = Text(required=False, max_length=40)


class CallsQuery(ListQuery):
    """The query of the list of calls."""

    agent = Text(required=False, max_length=63)
    run = Text(required=False, max_length=200)
    call = Text(required=False, max_length=40, help_text="The attempts of one call.")
    is_substituted = serializers.BooleanField(required=False, allow_null=True, default=None)
    route = Text(required=False, max_length=100)
    vendor = Text(required=False, max_length=63)
    model = Text(required=False, max_length=200)
    status = Text(required=False, max_length=20)
    since = serializers.DateTimeField(required=False)
    until = serializers.DateTimeField(required=False)


class UsageQuery(Input):
    """The query of sums of usage."""

    days = serializers.IntegerField(min_value=1, max_value=400, default=30)
    by = serializers.ChoiceField(
        choices=["day", "agent", "team", "route", "model", "vendor"], default="day"
    )
    agent = Text(required=False, max_length=63)
