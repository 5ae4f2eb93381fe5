"""What people fill in about a rota and its covers; people are offered from the team."""

from __future__ import annotations

import zoneinfo
from typing import Any, Final

from django import forms
from django.conf import settings

from fleet.health.models import Rota
from fleet.health.queries.rotas import members_of
from kernel import clock
from registry.models import Team

_FEWEST_TURNS: Final = 4
_MOST_TURNS: Final = 20
_ORDINALS: Final = ("First", "Second", "Third", "Fourth", "Fifth", "Sixth")


class _Day(forms.DateInput):
    input_type = "date"


class _Time(forms.TimeInput):
    input_type = "time"


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"


class RotaForm(forms.Form):
    """Who takes turns, in which order, from when on."""

    use_required_attribute = False

    starts_on = forms.DateField(
        label="First handover", widget=_Day(format="%Y-%m-%d"),
        help_text="The first person begins on this day.",
    )  # fmt: skip
    handover = forms.TimeField(label="At", widget=_Time(format="%H:%M"))
    zone = forms.ChoiceField(label="On the clocks of")
    every = forms.IntegerField(label="A shift lasts", min_value=1, max_value=92)
    unit = forms.ChoiceField(label="Unit", choices=[("7", "weeks"), ("1", "days")])
    minutes = forms.IntegerField(
        label="Minutes until the next is called", min_value=1, max_value=1440,
        help_text="If nobody has taken the incident; as many again until the team is told.",
    )  # fmt: skip

    def __init__(self, *given: Any, team: Team, now: Rota | None, **named: Any) -> None:
        super().__init__(*given, **named)
        members = _members(team)
        listed = now.people if now is not None else []
        count = min(max(_FEWEST_TURNS, len(listed) + 2), _MOST_TURNS, max(len(members), 1))
        known = {key for key, _ in members}
        people = [each for each in listed if each in known]
        self.turns = [f"person_{number}" for number in range(count)]
        for number, name in enumerate(self.turns):
            label = _ORDINALS[number] if number < len(_ORDINALS) else f"{number + 1}th"
            self.fields[name] = forms.ChoiceField(
                label=label, required=False, choices=[("", "nobody"), *members],
                initial=people[number] if number < len(people) else "",
            )  # fmt: skip
        zone = self.fields["zone"]
        assert isinstance(zone, forms.ChoiceField)  # noqa: S101  as declared above
        zone.choices = [(each, each.replace("_", " ")) for each in _zones()]
        days = now.length_days if now is not None else 7
        self.initial = {
            "starts_on": clock.now().date(), "zone": now.zone if now is not None else "UTC",
            "handover": now.handover_time if now is not None else "09:00",
            "every": days // 7 if days % 7 == 0 else days, "unit": "7" if days % 7 == 0 else "1",
            "minutes": now.minutes if now is not None else settings.INCIDENT_ESCALATE_MINUTES,
        }  # fmt: skip

    @property
    def slots(self) -> list[forms.BoundField]:
        return [self[name] for name in self.turns]

    def people(self) -> list[str]:
        """Return who was named, in order."""
        return [self.cleaned_data[name] for name in self.turns if self.cleaned_data[name]]

    def clean(self) -> dict[str, Any]:
        if not self.errors and not self.people():
            raise forms.ValidationError("Name somebody. To have no rota, end it.")
        return self.cleaned_data


class CoverForm(forms.Form):
    """Who covers for whom, and for how long; times are in the viewer's zone."""

    use_required_attribute = False
    prefix = "cover"

    person = forms.ChoiceField(label="Who")
    instead_of = forms.ChoiceField(label="Covers for", required=False)
    starts_at = forms.DateTimeField(
        label="From", required=False, widget=_Moment(), help_text="Empty: from now on."
    )
    ends_at = forms.DateTimeField(label="Until", widget=_Moment(), help_text="Within 92 days.")

    def __init__(self, *given: Any, team: Team, **named: Any) -> None:
        super().__init__(*given, **named)
        members = _members(team)
        for name, first in (("person", "choose"), ("instead_of", "whoever is on call")):
            field = self.fields[name]
            assert isinstance(field, forms.ChoiceField)  # noqa: S101  as declared above
            field.choices = [("", first), *members]


def _members(team: Team) -> list[tuple[str, str]]:
    return [(each.public_id, str(each)) for each in members_of(team)]


def _zones() -> list[str]:
    real = (name for name in zoneinfo.available_timezones() if "/" in name)
    return ["UTC", *sorted(name for name in real if not name.startswith("Etc/"))]
