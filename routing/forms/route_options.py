"""How far a route goes for an answer, as a form: the options in plain words, times in seconds.

What has no field here stays as it is: only the API sets it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django import forms

from routing.forms.vendors import WordsField
from routing.gateway.detectors.rules import KINDS
from routing.gateway.options import CHOICES, FALLS_BACK_ON, LISTED, MOST_RETRIES
from routing.gateway.protection import DIRECTIONS
from routing.models import Model, Route

FALLBACK_WORDS: Final = {
    "connect": "No connection",
    "timeout": "Nothing came in time",
    "broken": "An answer that broke, or was none",
    "429": "The vendor's limit (429)",
    "5xx": "The vendor's fault (5xx)",
}
CHOICE_WORDS: Final = {
    "listed": "Weight: each gets its share",
    "cheapest": "The cheapest that passed its eval gate",
    "fastest": "The fastest that passed its eval gate",
}
KIND_TITLES: Final = {
    "secret": "Secrets",
    "card": "Payment cards",
    "iban": "Bank accounts (IBAN)",
    "email": "E-mail addresses",
    "phone": "Telephone numbers",
    "national_id": "National numbers",
}
TOOL_WORDS: Final = {
    "allow": "Pass, and are on record",
    "strip": "Are taken out of calls and answers",
    "block": "Are refused",
}
_ASKED: Final = (
    "choose", "deadline_ms", "drop_hints", "fallback_on", "first_byte_ms", "override", "retries",
    "shadow", "sticky", "tools", "translate", "detectors",
)  # fmt: skip
_FIELDS: Final = {
    "options.override.until": "override_until",
    "options.override.reason": "override_reason",
    "options.override": "override_model",
    "options.shadow.percent": "shadow_percent",
    "options.shadow": "shadow_model",
    "options.retries": "retries",
    "options.deadline_ms": "deadline_seconds",
    "options.first_byte_ms": "first_byte_seconds",
    "options.fallback_on": "other_statuses",
    "options.choose": "choose",
}


def seconds_field(label: str, help_text: str = "") -> forms.FloatField:
    """Return a field for a time that is kept in milliseconds."""
    return forms.FloatField(
        label=label, min_value=0.05, max_value=3600, required=False, help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )  # fmt: skip


class OptionsForm(forms.Form):
    """When a call goes on to another target, and what is tried beside or before the list."""

    choose = forms.ChoiceField(
        label="First among equals", choices=[(word, CHOICE_WORDS[word]) for word in CHOICES],
        required=False, initial=LISTED,
    )  # fmt: skip
    sticky = forms.BooleanField(label="A run keeps its target while it serves", required=False)
    translate = forms.ChoiceField(
        label="Targets in the other dialect", required=False,
        choices=[("", "Serve too: calls are said in their words"), ("no", "Are passed over")],
        help_text="A call that cannot be said there goes to the next in any case.",
    )  # fmt: skip
    drop_hints = forms.BooleanField(
        label="Leave out hints that a target does not know", required=False,
        help_text="Such as a seed. It is on each call's record. Else the call is not sent there.",
    )  # fmt: skip
    tools = forms.ChoiceField(
        label="Tools that agents do not declare", required=False,
        choices=[("", "As the policy has it"), *TOOL_WORDS.items()],
    )  # fmt: skip
    fallback_on = forms.MultipleChoiceField(
        label="Go on to the next target after",
        choices=list(FALLBACK_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="None chosen: never. Only while nothing of the answer has reached the agent.",
    )
    other_statuses = WordsField(label="And after these statuses", help_text="Such as 404, 408.")
    first_byte_seconds = seconds_field(
        "Wait for the first byte, seconds", "Empty: ten minutes. Whole answers come at their end."
    )
    deadline_seconds = seconds_field(
        "Deadline of the whole call, seconds", "Every attempt and the answer. Empty: an hour."
    )
    retries = forms.IntegerField(
        label="Tries at the same target again", min_value=0, max_value=MOST_RETRIES, required=False,
        help_text="Agents' clients retry too: leave it at 0 unless there is one target.",
    )  # fmt: skip
    override_model = forms.ChoiceField(label="Put this model first", required=False)
    override_region = forms.CharField(label="Region", max_length=63, required=False)
    override_until = forms.DateTimeField(
        label="Until (UTC)", required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="At most 30 days ahead. Afterwards it changes nothing.",
    )  # fmt: skip
    override_reason = forms.CharField(label="Why", max_length=500, required=False)
    shadow_model = forms.ChoiceField(label="Send calls to this model as well", required=False)
    shadow_region = forms.CharField(label="Region", max_length=63, required=False)
    shadow_percent = forms.IntegerField(
        label="Share of calls, %", min_value=1, max_value=100, required=False,
        help_text="Its answers are recorded, cost what they cost, and go nowhere.",
    )  # fmt: skip

    def __init__(self, *args: Any, models: Sequence[Model], **kwargs: Any) -> None:
        super().__init__(*args, **{"prefix": "options"} | kwargs)
        self.models = {f"{model.vendor.name}/{model.name}": model for model in models}
        for direction in DIRECTIONS:
            for kind in KINDS:
                self.fields[f"{direction}_{kind}"] = _action_field(direction, kind)
        names = [("", "None"), *((name, name) for name in sorted(self.models))]
        for field in ("override_model", "shadow_model"):
            choice: Any = self.fields[field]
            choice.choices = names

    @classmethod
    def of(cls, route: Route | None, models: Sequence[Model], data: Any = None) -> OptionsForm:
        """Return the form with what a route says now."""
        return cls(data, initial=_initial(route.options if route else {}), models=models)

    @property
    def was_asked(self) -> bool:
        """Tell whether what was sent has these fields at all; else the route keeps its options."""
        return "options-choose" in self.data

    def options(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Return the whole options: what is asked here, and what only the API sets."""
        kept = {name: value for name, value in stored.items() if name not in _ASKED}
        given = self.cleaned_data
        falls_back_on = sorted({*given["fallback_on"], *given["other_statuses"]})
        if falls_back_on != sorted(FALLS_BACK_ON):
            kept["fallback_on"] = falls_back_on
        for name in ("first_byte", "deadline"):
            if (seconds := given[f"{name}_seconds"]) is not None:
                kept[f"{name}_ms"] = round(seconds * 1000)
        chosen = ("choose", "drop_hints", "retries", "sticky", "tools")
        kept |= {name: given[name] for name in chosen if given[name]}
        if given["translate"] == "no":
            kept["translate"] = False
        if given["override_model"]:
            until = given["override_until"]
            kept["override"] = self._named("override") | {
                "until": until.replace(tzinfo=UTC).isoformat() if until else "",
                "reason": given["override_reason"],
            }
        if detectors := self._detectors(stored.get("detectors") or {}):
            kept["detectors"] = detectors
        if given["shadow_model"]:
            kept["shadow"] = self._named("shadow") | {"percent": given["shadow_percent"]}
        return kept

    @property
    def detectors(self) -> list[tuple[str, list[forms.BoundField]]]:
        """Return the fields of each kind that may be looked for."""
        return [
            (KIND_TITLES[kind], [self[f"{direction}_{kind}"] for direction in DIRECTIONS])
            for kind in KINDS
        ]

    def _detectors(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for direction in DIRECTIONS:
            # Kinds of an installation's own have no field, and stay.
            actions = {k: v for k, v in stored.get(direction, {}).items() if k not in KINDS}
            for kind in KINDS:
                if action := self.cleaned_data[f"{direction}_{kind}"]:
                    actions[kind] = action
            if actions:
                found[direction] = actions
        return found

    def field_of(self, said: str) -> str | None:
        """Return the field that a refusal is about, if it is one of these."""
        return _FIELDS.get(said)

    def _named(self, what: str) -> dict[str, str]:
        model = self.models[self.cleaned_data[f"{what}_model"]]
        region = self.cleaned_data[f"{what}_region"]
        return {"vendor": model.vendor.name, "model": model.name, "region": region}


def _action_field(direction: str, kind: str) -> forms.ChoiceField:
    where = "Calls" if direction == "request" else "Answers"
    return forms.ChoiceField(
        label=f"{KIND_TITLES[kind]}: {where.lower()}",
        required=False,
        choices=[
            ("", f"{where}: not looked for"),
            ("allow", f"{where}: count, let through"),
            ("redact", f"{where}: redact"),
            ("block", f"{where}: block"),
        ],
    )


def _initial(said: Mapping[str, Any]) -> dict[str, Any]:
    listed = said.get("fallback_on", list(FALLS_BACK_ON))
    initial: dict[str, Any] = {
        "choose": said.get("choose", LISTED),
        "sticky": said.get("sticky", False),
        "translate": "no" if said.get("translate") is False else "",
        "drop_hints": said.get("drop_hints", False),
        "tools": said.get("tools", ""),
        "retries": said.get("retries", 0),
        "fallback_on": [word for word in listed if word in FALLBACK_WORDS],
        "other_statuses": [word for word in listed if word not in FALLBACK_WORDS],
    }
    for direction, actions in (said.get("detectors") or {}).items():
        initial |= {f"{direction}_{kind}": action for kind, action in actions.items()}
    for name in ("first_byte", "deadline"):
        if (millis := said.get(f"{name}_ms")) is not None:
            initial[f"{name}_seconds"] = millis / 1000
    for what in ("override", "shadow"):
        if named := said.get(what):
            initial[f"{what}_model"] = f"{named['vendor']}/{named['model']}"
            initial[f"{what}_region"] = named["region"]
    if override := said.get("override"):
        until = datetime.fromisoformat(override["until"]).astimezone(UTC)
        initial |= {"override_until": until, "override_reason": override["reason"]}
    if shadow := said.get("shadow"):
        initial["shadow_percent"] = shadow["percent"]
    return initial
