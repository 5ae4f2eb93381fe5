"""The forms of one's own account: signing in, the profile, the password, API tokens."""

from __future__ import annotations

import zoneinfo
from functools import cache
from typing import Any, Final

from django import forms

from registry.models import Person, Role

FOLLOW_THE_BROWSER: Final = "UTC"
LIFETIMES: Final = ((7, "7 days"), (30, "30 days"), (90, "90 days"), (365, "1 year"))


class SignInForm(forms.Form):
    """E-mail and password."""

    email = forms.EmailField(
        label="E-mail",
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label="Password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class NewPasswordForm(forms.Form):
    """A new password, typed twice; whether it is acceptable the action says."""

    password = forms.CharField(
        label="New password",
        max_length=1024,
        strip=False,
        help_text="At least 12 characters; nothing common, nothing like your name.",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )
    again = forms.CharField(
        label="New password, again",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "again" in cleaned and cleaned.get("password") != cleaned["again"]:
            self.add_error("again", "The two are not the same.")
        return cleaned


class PasswordForm(NewPasswordForm):
    """A new password for somebody who has one."""

    current = forms.CharField(
        label="Current password",
        max_length=1024,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    field_order = ("current", "password", "again")


class ProfileForm(forms.Form):
    """What people change of themselves."""

    name = forms.CharField(
        label="Name",
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    time_zone = forms.ChoiceField(
        label="Time zone", help_text="Every time on every page is shown in it."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        zones = [(name, name.replace("_", " ")) for name in _zones() if name != FOLLOW_THE_BROWSER]
        self.fields["time_zone"].choices = [  # type: ignore[attr-defined]
            (FOLLOW_THE_BROWSER, "The browser's (UTC where scripts are off)"),
            *zones,
        ]


class TokenForm(forms.Form):
    """A token to issue: what for, with which of one's roles, for how long."""

    name = forms.CharField(
        label="What is it for?",
        max_length=200,
        widget=forms.TextInput(attrs={"placeholder": "Deployment pipeline", "autocomplete": "off"}),
    )
    expires_in_days = forms.TypedChoiceField(
        label="Expires after", coerce=int, choices=LIFETIMES, initial=90
    )
    roles = forms.MultipleChoiceField(
        label="Roles it may act with", widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        kwargs.setdefault("prefix", "token")
        super().__init__(*args, **kwargs)
        self.fields["roles"].choices = [  # type: ignore[attr-defined]
            (role.value, role.label) for role in Role if role.value in person.roles
        ]
        self.fields["roles"].initial = [Role.EMPLOYEE.value]


@cache
def _zones() -> tuple[str, ...]:
    real = zoneinfo.available_timezones()
    return tuple(
        sorted(name for name in real if "/" in name and not name.startswith(("Etc/", "posix")))
    )
