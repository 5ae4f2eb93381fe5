"""The form of a model: prices as people read them, dates, and where each is from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from django import forms

from routing.actions.models import LIMITS, PRICES
from routing.actions.overriding import OverrideDraft
from routing.models import Model

_MILLION: Final = 1_000_000
_DATES: Final = ("retires_on", "deprecated_on")


def _price(label: str) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_digits=12,
        decimal_places=6,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )


def _date(label: str) -> forms.DateField:
    return forms.DateField(
        label=label,
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )


class ModelForm(forms.Form):
    """What to change of a model. A field that is emptied goes back to the catalogue."""

    input_micros_per_mtok = _price("Input, per million tokens")
    output_micros_per_mtok = _price("Output, per million tokens")
    cached_input_micros_per_mtok = _price("Cached input, per million tokens")
    price_source = forms.CharField(
        label="Where the price is from",
        max_length=200,
        required=False,
        help_text="A contract, a price list with its date. Your name stands there otherwise.",
    )
    context_tokens = forms.IntegerField(label="Context, in tokens", required=False, min_value=1)
    max_output_tokens = forms.IntegerField(
        label="Longest answer, in tokens", required=False, min_value=1
    )
    requests_per_minute = forms.IntegerField(
        label="Requests a minute, at most", required=False, min_value=1,
        help_text="What the vendor lets this account do. A change of it is noted.",
    )  # fmt: skip
    tokens_per_minute = forms.IntegerField(
        label="Tokens a minute, at most", required=False, min_value=1
    )
    retires_on = _date("Ends on")
    deprecated_on = _date("Deprecated since")
    replacement = forms.CharField(label="Replaced by", max_length=200, required=False)
    lifecycle_source = forms.CharField(
        label="Where the dates are from",
        max_length=500,
        required=False,
        help_text="A vendor's notice, with its address.",
    )

    @classmethod
    def of(cls, model: Model, data: Any = None) -> ModelForm:
        """Return the form with what is known of a model."""
        initial: dict[str, Any] = {name: _dollars(getattr(model, name)) for name in PRICES}
        for name in (*LIMITS, *_DATES, "replacement", "price_source", "lifecycle_source"):
            initial[name] = getattr(model, name)
        return cls(data, initial=initial)

    def changes(self) -> dict[str, Any]:
        """Return what differs from what is known, in the terms of the action."""
        given = {name: self.cleaned_data[name] for name in self.changed_data}
        for name in PRICES:
            if given.get(name) is not None:
                given[name] = int(given[name] * _MILLION)
        if "replacement" in given:
            given["replacement"] = given["replacement"] or None
        # A source alone says something about a price or date that is there already.
        return given


class EndForm(forms.Form):
    """What somebody says of a model's end, whole, and why."""

    retires_on = _date("Ends on")
    date_precision = forms.ChoiceField(
        label="That day is",
        required=False,
        choices=[
            ("exact", "exact"),
            ("earliest", "the earliest, it may move later"),
            ("not_sooner_than", "a promise: not sooner than"),
        ],
    )
    deprecated_on = _date("Deprecated since")
    replacement = forms.CharField(label="Replaced by", max_length=200, required=False)
    source = forms.CharField(
        label="Where this is from",
        max_length=500,
        required=False,
        help_text="A vendor's letter or page, a contract. Your name stands there otherwise.",
    )
    reason = forms.CharField(
        label="Why it is set by hand",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It goes on the record with your name.",
    )

    @classmethod
    def of(cls, model: Model, data: Any = None) -> EndForm:
        """Return the form with what holds now."""
        names = (*_DATES, "replacement", "date_precision")
        return cls(data, initial={name: getattr(model, name) for name in names})

    def draft(self) -> OverrideDraft:
        """Return what was said, in the terms of the action."""
        said = dict(self.cleaned_data)
        if said["retires_on"] is None:
            said["date_precision"] = ""
        return OverrideDraft(**said)


def _dollars(micros: int | None) -> str | None:
    # Written out: a browser would show ten dollars as 1E+1.
    return None if micros is None else f"{(Decimal(micros) / _MILLION).normalize():f}"
