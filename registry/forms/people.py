"""The forms by which the platform role invites people, changes what they may do, adds teams."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from registry.models import Role, Team

# What a role lets somebody do, in the words of whoever gives it.
ROLE_WORDS: Final = {
    Role.APPROVER: "Approver: decides reviews that are put to approvers",
    Role.SECURITY: "Security: decides registrations and versions, stops any agent, sees every run",
    Role.PLATFORM: "Platform: people, vendors, models and routes; registers and stops any agent",
    Role.AUDITOR: "Auditor: sees everything, changes nothing",
}


class RolesField(forms.MultipleChoiceField):
    """The roles beyond employee, which everybody has."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label="Roles",
            required=False,
            choices=[(role.value, words) for role, words in ROLE_WORDS.items()],
            widget=forms.CheckboxSelectMultiple,
            help_text="Everybody is an employee: registers agents of their own and uses them.",
            **kwargs,
        )


class _Placed(forms.Form):
    """A form with a team to choose."""

    def __init__(self, *args: Any, teams: Iterable[Team], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["team"].choices = [  # type: ignore[attr-defined]
            ("", "No team"),
            *((team.slug, team.name) for team in teams),
        ]


class InviteForm(_Placed):
    """Somebody who gets an account."""

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off", "autofocus": True}),
    )
    name = forms.CharField(
        label="Name",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    team = forms.ChoiceField(label="Team", required=False)
    roles = RolesField()


class PersonForm(_Placed):
    """What the platform changes of somebody."""

    name = forms.CharField(label="Name", max_length=200, required=False)
    team = forms.ChoiceField(label="Team", required=False)
    roles = RolesField()


class TeamForm(forms.Form):
    """A new team."""

    name = forms.CharField(
        label="Name of the team",
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "Customer service"}),
    )
