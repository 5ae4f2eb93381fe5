"""A vendor in words: the state of its connection, its secret, and each step of a test."""

from __future__ import annotations

from typing import Any, Final

from kernel.errors import DomainError
from routing.models import Vendor

_STEPS: Final = {
    "list_models": ("Asked which models it serves", "It names {models}."),
    "small_call": ("Made one small call", "{model} answered."),
}


def state_of(vendor: Vendor) -> str:
    """Name the one state of a vendor that matters most."""
    if vendor.disabled_at is not None:
        return "disabled"
    if lacks_secret(vendor):
        return "no_secret"
    if vendor.last_test is None:
        return "untested"
    return "reachable" if vendor.last_test.get("ok") is True else "unreachable"


def lacks_secret(vendor: Vendor) -> bool:
    """Say whether the vendor asks for a secret and has none."""
    return vendor.auth_scheme != "none" and getattr(vendor, "secret_sealed_at", None) is None


def test_shown(vendor: Vendor) -> dict[str, Any] | None:
    """Return the last test of a vendor in plain words, or None before the first."""
    test = vendor.last_test
    if not isinstance(test, dict):
        return None
    listed = test.get("models") or []
    known = {
        "models": f"{len(listed)} model{'' if len(listed) == 1 else 's'}",
        "model": test.get("model") or "A model",
    }
    steps = []
    for step in test.get("steps") or []:
        title, good = _STEPS.get(step.get("name", ""), (str(step.get("name", "")), "It worked."))
        ok = step.get("ok") is True
        steps.append(
            {
                "title": title,
                "ok": ok,
                "text": good.format_map(known) if ok else str(step.get("detail") or "It failed."),
                "ms": step.get("ms"),
                "http_status": step.get("http_status"),
            }
        )
    return {
        "ok": test.get("ok") is True,
        "at": vendor.last_tested_at,
        "steps": steps,
        "found": len(listed),
    }


def field_of(error: DomainError, form: Any) -> str | None:
    """Return the field of a form that a refusal is about, if it is about one."""
    named = str(error.facts.get("field") or "")
    if not named and error.code == "routing.address_unusable":
        named = "base_url"
    if not named and error.code == "routing.vendor_exists":
        named = "name"
    return named if named in form.fields else None
