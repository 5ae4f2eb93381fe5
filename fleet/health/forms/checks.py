"""What people fill in about health."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from fleet.health.expected import Expected
from fleet.health.schedules import seconds_of

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}
_KINDS: Final = [
    ("heartbeat", "Heartbeats: it says that it is there"),
    ("http", "HTTP probe: it is asked"),
    ("a2a-card", "A2A card: its card is read"),
]


class _Moment(forms.DateTimeInput):
    input_type = "datetime-local"


class CheckForm(forms.Form):
    """How an agent is watched; the manifest's word stands until this is saved."""

    use_required_attribute = False

    kind = forms.ChoiceField(label="By", choices=_KINDS)
    url = forms.CharField(
        label="Address", max_length=2048, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Of a probe. Begins with https://.",
    )  # fmt: skip
    interval = forms.CharField(
        label="Every", max_length=8, required=False, initial="5m",
        widget=forms.TextInput(attrs=_PLAIN), help_text="Such as 30s, 5m, 12h.",
    )  # fmt: skip
    cron = forms.CharField(
        label="Or by schedule", max_length=100, required=False,
        widget=forms.TextInput(attrs=_PLAIN), help_text="Five fields, such as 0 6 * * 1-5.",
    )  # fmt: skip
    zone = forms.CharField(
        label="In the time zone", max_length=60, required=False, initial="UTC",
        widget=forms.TextInput(attrs=_PLAIN), help_text="Such as Europe/Berlin.",
    )  # fmt: skip
    grace = forms.CharField(
        label="Grace", max_length=8, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="How late a heartbeat may be. Empty: half the interval.",
    )  # fmt: skip
    allow_private = forms.BooleanField(
        label="Plain http and addresses inside (platform role)", required=False
    )

    def wanted(self) -> Expected:
        """Return what is asked for."""
        given: dict[str, Any] = self.cleaned_data
        is_beat = given["kind"] == "heartbeat"
        cron = given["cron"].strip() if is_beat else ""
        return Expected(
            "heartbeat" if is_beat else "probe",
            given["kind"],
            "" if is_beat else given["url"].strip(),
            seconds_of(given["interval"].strip(), 0),
            seconds_of(given["grace"].strip(), 0),
            cron,
            given["zone"].strip() or "UTC",
        )


class RunbookForm(forms.Form):
    """Where it is written what to do."""

    use_required_attribute = False

    address = forms.CharField(
        label="Runbook", max_length=1000, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="A web address. Empty: the manifest's annotation unsprawl.dev/runbook.",
    )  # fmt: skip


class MuteForm(forms.Form):
    """For how long nobody is told, from now on."""

    use_required_attribute = False

    hours = forms.TypedChoiceField(
        label="For", coerce=int,
        choices=[(1, "1 hour"), (4, "4 hours"), (24, "a day"), (168, "a week")],
    )  # fmt: skip


class WindowForm(forms.Form):
    """A window of quiet for an agent or a team; its times are in the viewer's zone."""

    use_required_attribute = False

    agent = forms.CharField(
        label="Agent", max_length=80, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Its name. Empty: a team.",
    )  # fmt: skip
    team = forms.ChoiceField(label="Or a team", required=False)
    starts_at = forms.DateTimeField(
        label="From", required=False, widget=_Moment(), help_text="Empty: from now on."
    )
    ends_at = forms.DateTimeField(label="Until", widget=_Moment(), help_text="Within 30 days.")
    reason = forms.CharField(
        label="Why", max_length=300, help_text="For those who see that it is quiet."
    )

    def __init__(self, *given: Any, teams: list[tuple[str, str]], **named: Any) -> None:
        super().__init__(*given, **named)
        field = self.fields["team"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101  as declared above
        field.choices = [("", "No team"), *teams]
