"""Forms about where the catalogue is from: a feed to follow, a document to bring."""

from __future__ import annotations

from django import forms


class FeedForm(forms.Form):
    """A document to fetch again and again."""

    url = forms.CharField(label="Address", max_length=1000, help_text="https, without a query")
    title = forms.CharField(label="Title", max_length=200, required=False)
    every_hours = forms.IntegerField(
        label="Look every so many hours", min_value=1, max_value=720, initial=1
    )


class BringForm(forms.Form):
    """A document to load once."""

    document = forms.FileField(label="Document", help_text="JSON, plain or gzipped")
    region = forms.CharField(label="Region", max_length=40, required=False)
    as_of = forms.DateField(
        label="Saved on",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
