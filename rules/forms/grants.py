"""The form by which a grant is asked for."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django import forms

from kernel import clock

_LENGTHS: Final = (("30", "30 days"), ("90", "90 days"), ("180", "half a year"), ("365", "a year"))


class GrantForm(forms.Form):
    """Which data is to go where, for how long, and why."""

    use_required_attribute = False

    agent = forms.CharField(label="Agent", max_length=80)
    vendor = forms.ChoiceField(label="Vendor")
    data_class = forms.CharField(label="Class of data", max_length=60)
    days = forms.ChoiceField(label="For", choices=_LENGTHS, initial="90")
    reason = forms.CharField(
        label="Why it is needed", max_length=2000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, data: Any = None, *, vendors: list[str], **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.fields["vendor"].choices = [(name, name) for name in vendors]  # type: ignore[attr-defined]

    def wished(self) -> dict[str, Any]:
        """Return what is asked for, as the action takes it."""
        given = self.cleaned_data
        return {
            "agent": given["agent"],
            "vendor": given["vendor"],
            "data_class": given["data_class"],
            "until": clock.now() + timedelta(days=int(given["days"])),
        }
