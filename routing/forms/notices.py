"""The form for a vendor's notice that models end."""

from __future__ import annotations

from typing import Any

from django import forms

from routing.actions.overriding import OverrideDraft
from routing.catalogue.letters import LONGEST, days_in_letter
from routing.forms.models import EndForm
from routing.models import Vendor


class NoticeForm(EndForm):
    """A letter, whose models end together."""

    field_order = ("vendor", "letter", "retires_on", "date_precision")
    vendor = forms.ChoiceField(label="Vendor")
    letter = forms.CharField(
        label="The notice, or the names of the models",
        max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="Models of this vendor that it names are found. The text itself is not kept.",
    )

    def __init__(self, vendors: list[Vendor], *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        field = self.fields["vendor"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  declared above
        field.choices = [(one.name, one.title or one.name) for one in vendors]
        self.fields["source"].help_text = "The vendor's page, or: a letter of that day."

    def clean(self) -> dict[str, Any]:
        """Take the one day that the letter names, where none was said."""
        said: dict[str, Any] = super().clean() or self.cleaned_data
        if not said.get("retires_on") and "letter" in said and "retires_on" not in self.errors:
            days = days_in_letter(said["letter"])
            if len(days) == 1:
                said["retires_on"] = days[0]
            else:
                named = ", ".join(day.isoformat() for day in days[:6])
                self.add_error(
                    "retires_on", f"Say which: it names {named}." if days else "Say when they end."
                )
        return said

    def draft(self) -> OverrideDraft:
        """Return what was said, in the terms of the action."""
        said = {
            name: value
            for name, value in self.cleaned_data.items()
            if name not in {"vendor", "letter"}
        }
        return OverrideDraft(**said)
