"""Opening a campaign by hand."""

from __future__ import annotations

from typing import Any

from django import forms

from fleet.campaigns.models import Campaign


class CampaignForm(forms.Form):
    """A model, what changes of it, and the day by which agents must be off it."""

    model = forms.ChoiceField(label="Model")
    kind = forms.ChoiceField(label="What changes", choices=Campaign.Kind.choices)
    due_on = forms.DateField(
        label="By", widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The day on which nothing may depend on it any more.",
    )  # fmt: skip
    note = forms.CharField(
        label="What is known of it", required=False, max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )  # fmt: skip

    def __init__(self, *args: Any, models: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["model"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  declared above
        field.choices = models
