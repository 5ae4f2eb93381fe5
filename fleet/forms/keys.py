"""The forms of an agent's keys."""

from __future__ import annotations

from typing import Final

from django import forms

LIFETIMES: Final = (
    (1, "1 day"), (7, "7 days"), (30, "30 days"), (90, "90 days"), (180, "180 days"),
    (365, "1 year"),
)  # fmt: skip
OVERLAPS: Final = (
    (0, "Not at all"), (1, "1 hour"), (24, "1 day"), (72, "3 days"), (168, "7 days"),
)  # fmt: skip


class KeyForm(forms.Form):
    """A key to issue."""

    label = forms.CharField(
        label="Label",
        max_length=100,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "production", "autocomplete": "off"}),
    )
    expires_in_days = forms.TypedChoiceField(
        label="Expires after", coerce=int, choices=LIFETIMES, initial=90
    )


class RotationForm(forms.Form):
    """How long the old key goes on working beside its successor."""

    overlap_hours = forms.TypedChoiceField(
        label="The old key works for", coerce=int, choices=OVERLAPS, initial=24
    )
