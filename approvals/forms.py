"""What people fill in about deciding."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from approvals.actions.channels import WantedChannel
from approvals.models import Channel, Notice, NoticePreference, Review
from approvals.models.channel import ANY_EFFECT, EFFECTS
from registry.models import Person, Role

_MOMENT: Final = "%Y-%m-%dT%H:%M"


def _moment(label: str) -> forms.DateTimeField:
    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format=_MOMENT)
    return forms.DateTimeField(label=label, widget=widget, input_formats=[_MOMENT])


_EFFECTS = [(each, each.capitalize()) for each in EFFECTS]


class AbsenceForm(forms.Form):
    """From when until when, who stands in, and with which roles; times are in one's own zone."""

    stand_in = forms.EmailField(
        label="Who decides in your place?",
        widget=forms.EmailInput(
            attrs={"placeholder": "colleague@company.example", "autocomplete": "off"}
        ),
    )
    starts_at = _moment("From")
    ends_at = _moment("Until")
    roles = forms.MultipleChoiceField(
        label="Roles you lend them",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="What is put to you by name goes along by itself.",
    )
    reason = forms.CharField(
        label="Reason", required=False, max_length=4000, widget=forms.TextInput()
    )

    def __init__(self, *args: Any, person: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lendable = [
            (role.value, role.label)
            for role in Role
            if role.value in person.roles and role != Role.EMPLOYEE
        ]
        self.fields["roles"].choices = lendable  # type: ignore[attr-defined]
        if not lendable:
            del self.fields["roles"]


_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}
_SECRET: Final = {"autocomplete": "off"}


def _words(label: str, hint: str) -> forms.CharField:
    widget = forms.TextInput(attrs=_PLAIN)
    return forms.CharField(
        label=label, max_length=2000, required=False, widget=widget, help_text=hint
    )


def _several(label: str, choices: list[tuple[str, str]], hint: str) -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        label=label, choices=choices, required=False, help_text=hint,
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip


class ChannelForm(forms.Form):
    """A place that is told of reviews; what may be set up is the action's to say."""

    use_required_attribute = False

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    kind = forms.ChoiceField(label="Kind", choices=Channel.Kind.choices)
    address = forms.CharField(
        label="Address", max_length=2048, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Of a signed webhook. Empty for every other kind.",
    )  # fmt: skip
    secret = forms.CharField(
        label="Secret", max_length=4096, required=False, widget=forms.PasswordInput(attrs=_SECRET),
        help_text="The bot's token of a Slack app, or the URL of an incoming webhook of Slack or"
        " Teams. Sealed at once; nobody can read it back.",
    )  # fmt: skip
    signing_secret = forms.CharField(
        label="Slack's signing secret", max_length=200, required=False,
        widget=forms.PasswordInput(attrs=_SECRET),
        help_text="Of a Slack app, for its buttons.",
    )  # fmt: skip
    place = forms.CharField(
        label="Conversation in Slack", max_length=40, required=False,
        widget=forms.TextInput(attrs=_PLAIN), help_text="Its id, such as C0123456789.",
    )  # fmt: skip
    workspace = forms.CharField(
        label="Workspace in Slack", max_length=40, required=False,
        widget=forms.TextInput(attrs=_PLAIN), help_text="Its id, such as T0123456789.",
    )  # fmt: skip
    carries = forms.ChoiceField(label="Messages hold", choices=Channel.Carries.choices)
    decides_up_to = forms.ChoiceField(
        label="Decides up to",
        choices=[("", "Nothing"), *_EFFECTS, (ANY_EFFECT, "Everything")],
        required=False,
        help_text="The gravest effect that is decided here. The portal decides everything.",
    )
    min_effect = forms.ChoiceField(
        label="Actions from", choices=[("", "Any effect"), *_EFFECTS], required=False,
        help_text="Of agents' actions, those with this effect or a graver one.",
    )  # fmt: skip
    events = _several(
        "Events",
        [(each.value, each.label) for each in Notice.Event if each != Notice.Event.TESTED],
        "None chosen: all.",
    )
    kinds = _several(
        "Questions", [(each.value, each.label) for each in Review.Kind], "None chosen: all."
    )
    audience = _words("Put to", "Such as role:security, team:finance. Empty: whoever is asked.")
    agents = _words("Agents", "Their names. Empty: all.")
    teams = _words("Teams of agents", "Their short names. Empty: all.")
    tells = _words(
        "Also told of",
        "Besides reviews, such as incident campaign cutover. * for everything. Empty: nothing.",
    )

    def __init__(self, *args: Any, kept: Channel | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = kept
        if kept is not None:  # these two stay
            del self.fields["name"], self.fields["kind"]

    def wanted(self) -> WantedChannel:
        """Return what is asked for."""
        given: dict[str, Any] = dict(self.cleaned_data)
        for name in ("audience", "agents", "teams", "tells"):
            given[name] = tuple(given[name].replace(",", " ").split())
        for name in ("events", "kinds"):
            given[name] = tuple(given[name])
        if self.kept is not None:
            given |= {"name": self.kept.name, "kind": self.kept.kind}
        return WantedChannel(**given)


class NoticesForm(forms.Form):
    """How one wants mails about reviews."""

    use_required_attribute = False

    mail = forms.ChoiceField(label="Mails about reviews", choices=NoticePreference.Mail.choices)
    digest_hour = forms.TypedChoiceField(
        label="Together at", coerce=int,
        choices=[(hour, f"{hour:02}:00") for hour in range(24)],
        help_text="In your time zone.",
    )  # fmt: skip
