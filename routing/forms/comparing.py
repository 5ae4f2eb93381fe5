"""The form that names the run to compare with."""

from __future__ import annotations

from django import forms


class OtherRunForm(forms.Form):
    """A run by its id or label."""

    with_run = forms.CharField(
        label="Another run",
        max_length=200,
        help_text="Its id (run_…), or the label that its agent gave it.",
    )
