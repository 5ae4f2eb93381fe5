"""The forms of targets and schedules; what may be added is the actions' to say."""

from __future__ import annotations

from typing import Final

from django import forms

from outlets.actions.targets import WantedTarget
from outlets.models import Schedule

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}


class TargetForm(forms.Form):
    """A place for copies: a folder of this installation, or a bucket."""

    use_required_attribute = False

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    kind = forms.ChoiceField(
        label="Kind", choices=(("directory", "A folder"), ("s3", "A bucket that speaks S3"))
    )
    folder = forms.CharField(
        label="Folder or prefix", max_length=300, required=False,
        widget=forms.TextInput(attrs=_PLAIN),
        help_text="A folder's name under UNSPRAWL_EXPORT_DIR/kept, or what names in the bucket"
        " begin with, such as log/.",
    )  # fmt: skip
    endpoint = forms.CharField(
        label="Endpoint", max_length=2048, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Of a bucket, such as https://s3.eu-central-1.amazonaws.com. This and what"
        " follows stays empty for a folder.",
    )  # fmt: skip
    region = forms.CharField(
        label="Region", max_length=40, required=False, widget=forms.TextInput(attrs=_PLAIN)
    )
    bucket = forms.CharField(
        label="Bucket", max_length=63, required=False, widget=forms.TextInput(attrs=_PLAIN)
    )
    access_key = forms.CharField(
        label="Id of the access key", max_length=200, required=False,
        widget=forms.TextInput(attrs=_PLAIN),
    )  # fmt: skip
    secret = forms.CharField(
        label="Its secret", max_length=16_384, required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Sealed at once; nobody can read it back.",
    )  # fmt: skip
    lock_days = forms.IntegerField(
        label="Days of object lock", min_value=0, initial=0, required=False,
        help_text="In compliance mode: nobody can remove a copy before. 0: no lock.",
    )  # fmt: skip

    def wanted(self) -> WantedTarget:
        """Return what is asked of the target."""
        given = dict(self.cleaned_data)
        return WantedTarget(prefix=given.pop("folder"), **given)

    def clean_lock_days(self) -> int:
        """Read an empty field as no lock."""
        return self.cleaned_data["lock_days"] or 0


class ScheduleForm(forms.Form):
    """How often everything new is sent, and why."""

    use_required_attribute = False

    every = forms.ChoiceField(label="Every", choices=Schedule.Every.choices)
    payloads = forms.BooleanField(
        label="With payloads, encrypted", required=False, initial=True,
        help_text="They can be checked and not read.",
    )  # fmt: skip
    reason = forms.CharField(
        label="Reason", max_length=1000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="It goes on the record with your name.",
    )  # fmt: skip
