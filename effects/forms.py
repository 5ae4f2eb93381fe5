"""The forms of connections, operations and what is not known; the actions say what is right."""

from __future__ import annotations

from typing import Any, Final

from django import forms

from effects.models import Connection, Operation
from kernel.canonical import NotJSON, strict_loads

_PLAIN: Final = {"autocomplete": "off", "spellcheck": "false"}
ENDS: Final = (
    ("done", "It was done"),
    ("not_done", "It was not done, and is not to be tried again"),
    ("again", "It was not done: try again, while the approval holds"),
)


class JsonField(forms.CharField):
    """A JSON object, or a list where one is asked for."""

    def __init__(self, *, rows: int = 8, kind: type = dict, **more: Any) -> None:
        attributes = {**_PLAIN, "rows": rows, "class": "mono"}
        super().__init__(widget=forms.Textarea(attrs=attributes), max_length=60_000, **more)
        self._kind = kind

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return self._kind()
        try:
            read = strict_loads(text.encode())
        except NotJSON as error:
            raise forms.ValidationError(error.detail) from None
        if not isinstance(read, self._kind):
            wanted = "an object" if self._kind is dict else "a list"
            raise forms.ValidationError(f"This is {wanted} in JSON.")
        return read

    def validate(self, value: Any) -> None:
        """Let an empty object be: whether it may be is the actions' to say."""


class SettleForm(forms.Form):
    """What became of an effect, and how somebody knows."""

    use_required_attribute = False

    end = forms.ChoiceField(label="What happened", choices=ENDS)
    note = forms.CharField(
        label="How you know", max_length=2000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Where you looked and what you found. It lies encrypted on the record.",
    )  # fmt: skip


class ConnectionForm(forms.Form):
    """One system outside."""

    use_required_attribute = False

    name = forms.CharField(
        label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN),
        help_text="Small letters, digits and hyphens. Agents name it; it stays.",
    )  # fmt: skip
    title = forms.CharField(label="Title", max_length=120, required=False)
    adapter = forms.ChoiceField(label="Kind", choices=Connection.Adapter.choices)
    settings = JsonField(
        label="Settings", rows=4, required=False, initial='{"base_url": "https://"}',
        help_text="As the kind asks for them; no secret.",
    )  # fmt: skip
    credential = forms.ChoiceField(label="Credential", choices=Connection.Credential.choices)
    credential_settings = JsonField(
        label="Where it goes", rows=3, required=False, initial="{}",
        help_text='Such as {"header": "X-Api-Key"}, or {"place": "password", "user": "agents"}.',
    )  # fmt: skip
    allow_private = forms.BooleanField(
        label="The address is inside", required=False,
        help_text="Allows plain http and private networks, for this connection alone.",
    )  # fmt: skip


class ConnectionChangeForm(ConnectionForm):
    """What of a connection may be changed."""

    name = None  # type: ignore[assignment]
    adapter = None  # type: ignore[assignment]


class SecretForm(forms.Form):
    """A secret, on its way in."""

    use_required_attribute = False

    value = forms.CharField(
        label="Secret", max_length=16_384, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="Sealed at once; nobody can read it back.",
    )  # fmt: skip


class OperationForm(forms.Form):
    """One thing that may be done at a connection, and arguments to try it with."""

    use_required_attribute = False

    name = forms.CharField(label="Name", max_length=63, widget=forms.TextInput(attrs=_PLAIN))
    title = forms.CharField(label="Title", max_length=120, required=False)
    effect = forms.ChoiceField(
        label="Effect", choices=Operation.Effect.choices, initial=Operation.Effect.WRITE
    )
    idempotency = forms.ChoiceField(label="Sent twice", choices=Operation.Idempotency.choices)
    is_reversible = forms.BooleanField(label="Can be undone", required=False)
    description = forms.CharField(
        label="Description", max_length=2000, required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip
    arguments_schema = JsonField(
        label="Arguments (JSON Schema)", initial='{"type": "object", "properties": {}}'
    )
    template = JsonField(label="Template", rows=10)
    lookup = JsonField(label="Look-up", rows=4, required=False)
    checks = JsonField(label="Checks", rows=3, kind=list, required=False)
    arguments = JsonField(
        label="Arguments to try", rows=4, required=False,
        help_text="For the dry run alone; they are kept nowhere.",
    )  # fmt: skip
