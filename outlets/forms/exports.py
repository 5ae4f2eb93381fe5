"""The forms of exports and feeds; what may be asked is the queries' and actions' to say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from django import forms

from outlets.models import Feed, Target

SCOPES: Final = (
    ("run", "A run"),
    ("agent", "An agent, with its runs"),
    ("period", "A period"),
    ("whole", "Everything"),
)
_KINDS: Final = {
    "http": "HTTP", "syslog+tls": "Syslog over TLS", "syslog+tcp": "Syslog over TCP",
    "syslog+udp": "Syslog over UDP",
}  # fmt: skip
_FORMATS: Final = {"json": "JSON", "cef": "CEF", "hec": "HEC (Splunk)"}
_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class ExportForm(forms.Form):
    """What to export, and why."""

    use_required_attribute = False

    scope = forms.ChoiceField(label="What", choices=SCOPES)
    named = forms.CharField(
        label="Which", max_length=300, required=False,
        help_text="A run's id or label, or an agent's name. Empty for a period or everything.",
        widget=forms.TextInput(attrs=_PLAIN),
    )  # fmt: skip
    since = forms.DateTimeField(
        label="From", required=False, help_text="Of a period, in your time zone.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )  # fmt: skip
    until = forms.DateTimeField(
        label="To", required=False, help_text="Empty: until now.",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )  # fmt: skip
    payloads = forms.BooleanField(
        label="With payloads, encrypted", required=False, initial=True,
        help_text="They can be checked and not read. Without them the file is much smaller.",
    )  # fmt: skip
    target = forms.ChoiceField(
        label="Send a copy to", required=False, help_text="The file stays here as well."
    )
    reason = forms.CharField(
        label="Reason", max_length=1000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It goes on the record with your name.",
    )  # fmt: skip

    def __init__(
        self, *args: Any, oversees: bool, targets: Iterable[Target] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if places := [(each.public_id, each.name) for each in targets]:
            where: Any = self.fields["target"]
            where.choices = [("", "Nowhere"), *places]
        else:
            del self.fields["target"]
        if not oversees:
            field: Any = self.fields["scope"]
            field.choices = SCOPES[:1]

    def clean(self) -> dict[str, Any]:
        """Say at its field what is missing for the scope that was chosen."""
        given = super().clean() or self.cleaned_data
        if given.get("scope") in {"run", "agent"} and not given.get("named", "").strip():
            self.add_error("named", f"Say which {given['scope']}.")
        if given.get("scope") == "period" and not (given.get("since") or given.get("until")):
            self.add_error("since", "Say when it begins, or when it ends.")
        return given

    def asked(self) -> dict[str, Any]:
        """Return the scope as the API names it."""
        given = self.cleaned_data
        match given["scope"]:
            case "run" | "agent":
                return {given["scope"]: given["named"].strip()}
            case "whole":
                return {"whole": True}
            case _:
                return {"since": given["since"], "until": given["until"]}


class FeedForm(forms.Form):
    """A receiver, and what it gets."""

    use_required_attribute = False

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    kind = forms.ChoiceField(
        label="Over", choices=[(name, _KINDS[name]) for name in Feed.Kind.values]
    )
    format = forms.ChoiceField(
        label="As", choices=[(name, _FORMATS[name]) for name in Feed.Format.values]
    )
    address = forms.CharField(
        label="Address", max_length=2048, widget=forms.TextInput(attrs=_PLAIN),
        help_text="host:port of syslog, the URL of http.",
    )  # fmt: skip
    auth_header = forms.CharField(
        label="Header", max_length=64, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Of http: which header carries the secret, such as Authorization.",
    )  # fmt: skip
    auth_scheme = forms.CharField(
        label="Before the secret", max_length=20, required=False,
        widget=forms.TextInput(attrs=_PLAIN), help_text="Such as Bearer or Splunk.",
    )  # fmt: skip
    secret = forms.CharField(
        label="Secret", max_length=16_384, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Sealed at once; nobody can read it back.",
    )  # fmt: skip
    min_severity = forms.IntegerField(
        label="From severity", min_value=0, max_value=10, initial=3,
        help_text="0 to 10. Calls are 1, changes 3, denials 6, kills 8.",
    )  # fmt: skip
    from_start = forms.BooleanField(
        label="From the first entry ever", required=False, help_text="Otherwise from now on."
    )
