"""What is filled in for a link to the status page."""

from __future__ import annotations

from typing import Any

from django import forms


class StatusLinkForm(forms.Form):
    """For whom, how long, and how much of the fleet it shows."""

    use_required_attribute = False

    name = forms.CharField(
        label="Name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text="Whom it is for. It is not shown on the page.",
    )  # fmt: skip
    team = forms.ChoiceField(label="Shows", required=False)
    days = forms.TypedChoiceField(
        label="Until", required=False, coerce=int, empty_value=None,
        choices=[("", "it is revoked"), (7, "7 days from now"), (30, "30 days from now"),
                 (90, "90 days from now"), (365, "a year from now")],
    )  # fmt: skip
    shows_agents = forms.BooleanField(
        label="Show the agents by their titles", required=False,
        help_text="Otherwise it counts them.",
    )  # fmt: skip

    def __init__(self, *given: Any, teams: list[tuple[str, str]], **named: Any) -> None:
        super().__init__(*given, **named)
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  as declared above
        field.choices = [("", "the whole fleet"), *teams]
