"""The forms of an emergency stop: what, then why; everything is typed out."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from routing.models import Stop

TYPED: Final = "stop everything"
_WORDS: Final = {
    "agent": "An agent",
    "key": "One key",
    "owner": "Every agent of a person",
    "team": "Every agent of a team",
    "vendor": "A vendor",
    "model": "One model of a vendor",
    "route": "A route",
    "fleet": "Everything",
}


class SubjectForm(forms.Form):
    """What is to stop."""

    use_required_attribute = False  # everything has no name

    scope = forms.ChoiceField(
        label="What", choices=[(name, _WORDS[name]) for name in _WORDS if name in Stop.Scope.values]
    )
    subject = forms.CharField(
        label="Which", max_length=300,
        help_text="An agent's, team's, vendor's or route's name, a person's e-mail, vendor/model,"
        " or a key's id. Everything has no name.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )  # fmt: skip

    def __init__(self, data: Any = None) -> None:
        super().__init__(data)
        if data is not None and data.get("scope") == Stop.Scope.FLEET:
            self.fields["subject"].required = False


class PlaceForm(forms.Form):
    """Why it is to stop."""

    reason = forms.CharField(
        label="Reason",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Everybody whom it hits can read it. It goes on the record with your name.",
    )
    typed = forms.CharField(
        label=f"Type “{TYPED}” to confirm", required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "data-typed": TYPED}),
    )  # fmt: skip

    def __init__(self, *args: Any, scope: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if scope != Stop.Scope.FLEET:
            del self.fields["typed"]

    def clean_typed(self) -> str:
        typed = str(self.cleaned_data["typed"])
        if typed.strip().lower() != TYPED:
            raise forms.ValidationError(f"Nothing was stopped: type “{TYPED}” to confirm.")
        return typed
