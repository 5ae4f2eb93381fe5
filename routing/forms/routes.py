"""The form of a route: one whole document, its targets as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, cast

from django import forms

from routing.actions.route_targets import MAX_TARGETS, TargetDraft
from routing.forms.route_options import seconds_field
from routing.forms.vendors import CLASS_WORDS, WordsField
from routing.models import Model, Route
from routing.outlook import Way

_KEPT: Final = ("vendors", "max_cost_micros", "receipt_level")


class RouteForm(forms.Form):
    """A route's name and what it is kept to."""

    name = forms.CharField(
        label="Name agents call",
        max_length=100,
        widget=forms.TextInput(
            attrs={"class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
        help_text="Name the task, not the model. It never changes.",
    )
    title = forms.CharField(label="What it is for", max_length=200, required=False)
    aliases = WordsField(
        label="Further names",
        help_text="With commas between, such as gpt-5. Who may call the route may use them too.",
    )
    data_classes = forms.MultipleChoiceField(
        label="Only data of these classes",
        choices=list(CLASS_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="None chosen: whatever each target's vendor may receive.",
    )
    regions = WordsField(
        label="Only targets in these regions",
        help_text="With commas between. Empty: any region, and targets that name none.",
    )
    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput, initial=0)

    @classmethod
    def of(cls, route: Route | None, data: Any = None) -> RouteForm:
        """Return the form with what a route says now; its name stays."""
        initial: dict[str, Any] = {}
        if route is not None:
            initial = {
                "name": route.name,
                "title": route.title,
                "aliases": route.aliases,
                "data_classes": route.constraints.get("data_classes") or [],
                "regions": route.constraints.get("regions") or [],
                "revision": route.revision,
            }
        form = cls(data, initial=initial)
        if route is not None:
            form.fields["name"].disabled = True
        return form

    def constraints(self, route: Route | None) -> dict[str, Any]:
        """Return the whole constraints: what is asked here, and what only the API sets."""
        kept = route.constraints if route is not None else {}
        said = {name: kept[name] for name in _KEPT if name in kept}
        for name in ("data_classes", "regions"):
            if self.cleaned_data[name]:
                said[name] = self.cleaned_data[name]
        return said


class TargetForm(forms.Form):
    """One row: a model that may serve the route."""

    model = forms.ChoiceField(label="Model")
    region = forms.CharField(label="Region", max_length=63, required=False)
    priority = forms.IntegerField(label="Priority", min_value=0, max_value=1000, initial=0)
    weight = forms.IntegerField(label="Weight", min_value=1, max_value=10_000, initial=100)
    canary_percent = forms.IntegerField(
        label="Canary %", min_value=0, max_value=100, required=False
    )
    first_byte_seconds = seconds_field("First byte, s")

    def __init__(self, *args: Any, models: Sequence[Model], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.models = {model.public_id: model for model in models}
        choice: Any = self.fields["model"]
        choice.choices = [("", "Choose a model"), *_by_vendor(models)]

    def draft(self, stands: TargetDraft | None) -> TargetDraft:
        """Return a valid row as it is kept; a field that was not sent stays as it stands."""
        way, given = self.way(), self.cleaned_data
        draft = stands or TargetDraft(way.model.vendor.name, way.model.name, region=way.region)
        draft = replace(draft, weight=way.weight, priority=way.priority)
        if self.add_prefix("canary_percent") in self.data:
            draft = replace(draft, canary_percent=given["canary_percent"])
        if self.add_prefix("first_byte_seconds") in self.data:
            seconds = given["first_byte_seconds"]
            draft = replace(draft, first_byte_ms=None if seconds is None else round(seconds * 1000))
        return draft

    def way(self) -> Way:
        """Return the target that a valid row means."""
        given = self.cleaned_data
        return Way(self.models[given["model"]], given["region"], given["weight"], given["priority"])


if TYPE_CHECKING:
    _Rows = forms.BaseFormSet[TargetForm]
else:
    _Rows = forms.BaseFormSet


class TargetRows(_Rows):
    """Every row of a route; one that was emptied or removed is no target."""

    def ways(self) -> list[Way]:
        """Return the targets of valid rows."""
        return [form.way() for form in self.meant()]

    def meant(self) -> list[TargetForm]:
        """Return the valid rows that are targets."""
        return [
            form
            for form in self.forms
            if form.cleaned_data.get("model") and not form.cleaned_data.get("DELETE")
        ]

    def as_typed(self) -> list[dict[str, str]]:
        """Return the rows as they were typed, valid or not, without those to be removed."""
        rows = []
        for form in self.forms:
            typed = {name: str(form[name].value() or "") for name in form.fields}
            if typed.pop("DELETE", "") in {"", "False"}:
                rows.append(typed)
        return rows


def target_rows(
    models: Sequence[Model], data: Any = None, *, initial: Any = None, extra: int = 0
) -> TargetRows:
    """Return the rows of a route, with so many empty ones beneath."""
    made = forms.formset_factory(
        TargetForm,
        formset=TargetRows,
        extra=extra,
        can_delete=True,
        max_num=MAX_TARGETS,
        validate_max=True,
    )
    rows: Any = made(data, initial=initial, prefix="targets", form_kwargs={"models": models})
    return cast("TargetRows", rows)


def rows_of(route: Route) -> list[dict[str, Any]]:
    """Return the targets of a route as rows begin with them."""
    return [
        {
            "model": target.model.public_id,
            "region": target.region,
            "priority": target.priority,
            "weight": target.weight,
            "canary_percent": target.canary_percent,
            "first_byte_seconds": target.first_byte_ms and target.first_byte_ms / 1000,
        }
        for target in route.targets.all()
    ]


def _by_vendor(models: Sequence[Model]) -> list[tuple[str, list[tuple[str, str]]]]:
    ordered = sorted(models, key=lambda model: (model.vendor.name, model.name))
    return [
        (vendor, [(model.public_id, _word(model)) for model in group])
        for vendor, group in groupby(ordered, key=lambda model: model.vendor.name)
    ]


def _word(model: Model) -> str:
    if model.disabled_at is not None or model.vendor.disabled_at is not None:
        return f"{model.name} (disabled)"
    return f"{model.name} (ends {model.retires_on})" if model.retires_on else model.name
