"""Forms that ask why: stopping something, reading what was said."""

from __future__ import annotations

from django import forms


class ReasonForm(forms.Form):
    """Why something is done; it goes on the record."""

    reason = forms.CharField(
        label="Reason",
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It goes on the record with your name.",
    )
