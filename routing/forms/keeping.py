"""The forms of keeping: an age, a legal hold, an erasure."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from ledger.models import LegalHold
from registry.manifest.sensitivity import DATA_CLASSES
from routing.models import Erasure

OTHERS: Final = "others"
_HOLDS: Final = {
    "agent": "An agent",
    "run": "A run",
    "data_subject": "A data subject",
    "period": "A period",
    "everything": "Everything",
}
_QUIET: Final = {"autocomplete": "off", "spellcheck": "false"}


def _reason() -> forms.CharField:
    return forms.CharField(
        label="Reason",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It goes on the record with your name.",
    )


class AgeForm(forms.Form):
    """How long payloads of a data class are kept."""

    use_required_attribute = False

    data_class = forms.ChoiceField(label="Data class")
    days = forms.IntegerField(
        label="Days", required=False, min_value=1, max_value=36_500,
        help_text="Empty: without end. A shorter age takes effect after seven days.",
    )  # fmt: skip
    reason = _reason()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [(OTHERS, "Every class without its own age"), *zip(DATA_CLASSES, DATA_CLASSES)]  # noqa: B905
        self.fields["data_class"] = forms.ChoiceField(label="Data class", choices=choices)


class HoldForm(forms.Form):
    """What is held, and why."""

    use_required_attribute = False

    scope = forms.ChoiceField(
        label="What", choices=[(name, _HOLDS[name]) for name in LegalHold.Scope.values]
    )
    subject = forms.CharField(
        label="Which", required=False, max_length=300, widget=forms.TextInput(attrs=_QUIET),
        help_text="An agent's name, a run's id, or a data subject's id. Nothing for a period or"
        " everything. A data subject's id is not kept, only its tag.",
    )  # fmt: skip
    starts_on = forms.DateField(
        label="First day", required=False, widget=forms.DateInput(attrs={"type": "date"}),
        help_text="Of a period, in UTC.",
    )  # fmt: skip
    ends_on = forms.DateField(
        label="Last day", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    reason = _reason()


class WhomForm(forms.Form):
    """Whose payloads are to be destroyed."""

    use_required_attribute = False

    scope = forms.ChoiceField(
        label="Whose",
        choices=[("data_subject", "A data subject's"), ("agent", "An agent's")],
    )
    subject = forms.CharField(
        label="Which", max_length=300, widget=forms.TextInput(attrs=_QUIET),
        help_text="The id that agents send for the person (or its tag, sub_…), or the agent's name."
        " The id is turned into its tag and not kept.",
    )  # fmt: skip
    data_classes = forms.MultipleChoiceField(
        label="Only these data classes", required=False, choices=[(c, c) for c in DATA_CLASSES],
        widget=forms.CheckboxSelectMultiple, help_text="None chosen: all.",
    )  # fmt: skip

    def clean_scope(self) -> str:
        return Erasure.Scope(self.cleaned_data["scope"]).value


class EraseForm(forms.Form):
    """Why they are to be destroyed."""

    scope = forms.CharField(widget=forms.HiddenInput)
    subject = forms.CharField(widget=forms.HiddenInput)
    data_classes = forms.MultipleChoiceField(
        required=False, choices=[(c, c) for c in DATA_CLASSES], widget=forms.MultipleHiddenInput
    )
    reference = forms.CharField(
        label="Reference", required=False, max_length=200,
        help_text="Of the request that this answers, such as a ticket. No name: it stays.",
    )  # fmt: skip
    reason = _reason()
