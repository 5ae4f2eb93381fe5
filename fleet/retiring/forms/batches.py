"""What the form of a batch asks for: only what its step needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django import forms

from fleet.retiring.actions.bulk_steps import BulkStep

# As the admin draws its own fields; its stylesheet has these words already.
_LOOK: Final = (
    "border border-base-200 bg-white rounded-default px-3 py-2 shadow-xs"
    " text-font-default-light dark:bg-base-900 dark:border-base-700 dark:text-font-default-dark"
)


class BatchForm(forms.Form):
    """Every field that a step may need; those of others are taken out."""

    on = forms.DateField(
        label="Day", widget=forms.DateInput({"type": "date"}), required=False,
        help_text="From its beginning in UTC they begin no new run.",
    )  # fmt: skip
    drain_minutes = forms.IntegerField(
        label="Drain in minutes", min_value=0, max_value=7 * 24 * 60, initial=60, required=False,
        help_text="So long may runs that began before go on.",
    )  # fmt: skip
    successor = forms.CharField(
        label="Successor", max_length=63, required=False,
        help_text="The name of the agent that takes their place.",
    )  # fmt: skip
    data = forms.ChoiceField(  # type: ignore[assignment]  # a field, not the attribute
        label="Data", choices=[("keep", "Keep by retention"), ("shred", "Destroy")], required=False,
        help_text="Never below the floor of retention, and nothing that a legal hold covers.",
    )  # fmt: skip
    shred_after_days = forms.IntegerField(
        label="Destroy after days", min_value=0, max_value=3 * 365, initial=30, required=False
    )
    owner = forms.EmailField(label="New owner", required=False)
    backup = forms.EmailField(label="New backup owner", required=False)

    to = forms.CharField(
        label="Model", max_length=300, required=False,
        help_text="Where they move to, as vendor/name. Empty, where a rule is set: they pause.",
    )  # fmt: skip

    def __init__(self, step: BulkStep, said: Mapping[str, Any] | None = None) -> None:
        super().__init__(said)
        for name in list(self.fields):
            if name not in step.fields:
                del self.fields[name]
            else:
                self.fields[name].widget.attrs["class"] = _LOOK

    def asked(self) -> dict[str, Any]:
        """Return what was asked for, as it is kept."""
        cleaned = self.cleaned_data if self.is_bound and self.is_valid() else {}
        return {
            name: value.isoformat() if hasattr(value, "isoformat") else value
            for name, value in cleaned.items()
            if value not in (None, "")
        }
