"""The forms of sources: a file to read, an account to connect."""

from __future__ import annotations

from typing import Final

from django import forms

from fleet.discovery.actions.sources import WantedSource
from fleet.discovery.models import Source
from fleet.discovery.signs import FORMATS

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class UploadForm(forms.Form):
    """A file and what it is."""

    use_required_attribute = False

    format = forms.ChoiceField(label="What it is", choices=tuple(FORMATS.items()))
    file = forms.FileField(
        label="File", max_length=200, help_text="Up to 2 GiB, plain or gzip. Removed once read."
    )


class SourceForm(forms.Form):
    """An account, and the admin key it is read with."""

    use_required_attribute = False

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    kind = forms.ChoiceField(label="Kind", choices=Source.Kind.choices)
    secret = forms.CharField(
        label="Admin key", max_length=16_384,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Sealed at once; nobody can read it back. It only needs to read.",
    )  # fmt: skip
    base_url = forms.CharField(
        label="Address", max_length=2048, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Left empty: the vendor's own. Of a LiteLLM proxy: https://llm.acme.test.",
    )  # fmt: skip
    every_hours = forms.IntegerField(
        label="Read every (hours)", min_value=1, max_value=720, initial=24
    )

    def wanted(self) -> WantedSource:
        """Return what is asked of the source."""
        return WantedSource(**self.cleaned_data)
