"""What people fill in about deciding."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from registry.models import Person, Role

_MOMENT: Final = "%Y-%m-%dT%H:%M"


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
    return forms.DateTimeField(label=label, widget=widget, input_formats=[_MOMENT])


class AbsenceForm(forms.Form):
    """From when until when, who stands in, and with which roles; times are in one's own zone."""

    stand_in = forms.EmailField(
        label="Who decides in your place?",
        widget=forms.EmailInput(
            attrs={"placeholder": "colleague@company.example", "autocomplete": "off"}
        ),
    )
    starts_at = _moment("From")
    ends_at = _moment("Until")
    roles = forms.MultipleChoiceField(
        label="Roles you lend them",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What is put to you by name goes along by itself.",
    )
    reason = forms.CharField(
        label="Reason", required=False, max_length=4000, widget=forms.TextInput()
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lendable = [
            (role.value, role.label)
            for role in Role
            if role.value in person.roles and role != Role.EMPLOYEE
        ]
        self.fields["roles"].choices = lendable  # type: ignore[attr-defined]
        if not lendable:
            del self.fields["roles"]
