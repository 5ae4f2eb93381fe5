"""Trying a vendor with one click: what it serves, and whether a small call works.

The call itself is the gateway's, on the record like any other; this process cannot open a
vendor's secret. What comes back is turned into words that say what to do next.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from kernel import clock
from kernel.canonical import NotJSON
from ledger.entries import Fact
from ledger.record import record
from ledger.verbs import Verb
from registry.actors import Actor
from registry.models import Role
from routing.errors import GatewayUnreachable, VendorDisabled
from routing.internal import HEADER, InternalKeys
from routing.models import Vendor
from routing.queries.vendors import models_of, vendor_for

SECONDS: Final = 60.0
MAX_BYTES: Final = 1024 * 1024
_UNSEEN: Final = "routing.no_such_vendor"
# Names of models that do not answer a chat; a test of one of these would say nothing.
_NOT_CHAT: Final = (
    "embed", "whisper", "tts", "audio", "realtime", "image", "dall-e", "sora", "veo",
    "moderation", "rerank", "transcribe", "ocr", "guard",
)  # fmt: skip
_TITLES: Final = {"list": "list_models", "call": "small_call"}
ADVICE: Final = {
    400: "The vendor did not like the request: check the dialect and the model.",
    401: "The vendor refused the secret: check it and enter it again.",
    402: "The vendor says the account has no credit.",
    403: "The vendor refused: the secret may lack a right, or the model needs to be allowed.",
    404: "Nothing is there: check the path of the address, and the model's name.",
    405: "Nothing is there: check the path of the address.",
    429: "The vendor is throttling this account; the secret itself was taken.",
}


@dataclass(frozen=True, slots=True)
class VendorTest:
    """How a test went, step by step, and what the vendor says it serves."""

    ok: bool
    steps: list[dict[str, Any]]
    models: list[str]
    model: str = ""


def test_vendor(name: str, *, actor: Actor, model: str = "") -> VendorTest:  # noqa: PT028  no test
    """Let the gateway list a vendor's models and make one small call.

    Without a model named, a configured one is called, else one of those found.
    Records: vendor.tested; the gateway records each call to the vendor itself.
    Raises: RoleMissing, VendorNotFound, VendorDisabled, GatewayUnreachable.
    """
    actor.require(Role.PLATFORM)
    vendor = vendor_for(actor, name)
    if vendor.disabled_at is not None:
        raise VendorDisabled(f"{vendor.name} is disabled; enable it before testing it.")
    chosen = model or next(iter(_chat(models_of(vendor).values_list("name", flat=True))), "")
    found = _asked(vendor, chosen)
    if not chosen and found.get("ok") and (chosen := next(iter(_chat(_names(found))), "")):
        found = _asked(vendor, chosen)
    outcome = VendorTest(found.get("ok") is True, _steps(found), _names(found), chosen)
    _keep(vendor, outcome, actor)
    return outcome


@transaction.atomic
def _keep(vendor: Vendor, outcome: VendorTest, actor: Actor) -> None:
    vendor.last_tested_at = clock.now()
    vendor.last_test = {
        "ok": outcome.ok, "steps": outcome.steps, "models": outcome.models,
        "model": outcome.model,
    }  # fmt: skip
    vendor.save(update_fields=["last_tested_at", "last_test"])
    failed = next((step["detail"] for step in outcome.steps if not step["ok"]), "")
    facts: dict[str, Fact] = {
        "vendor": vendor.name,
        "ok": outcome.ok,
        "model": outcome.model,
        "models_found": len(outcome.models),
        "failed": failed,
    }
    record(Verb.VENDOR_TESTED, vendor.ref, actor=actor.ref, facts=facts)


def _asked(vendor: Vendor, model: str) -> dict[str, Any]:
    """Ask the gateway, patiently while it has not yet seen a vendor that is new to it."""
    for wait in (0.2, 0.5, 1.0):
        answer = _exchange(vendor, model)
        if answer.headers.get("x-unsprawl-error") != _UNSEEN:
            break
        time.sleep(wait)
    else:
        answer = _exchange(vendor, model)
    return _read(answer)


def _exchange(vendor: Vendor, model: str) -> Answer:
    path = f"/internal/vendors/{vendor.public_id}/test"
    body = json.dumps({"model": model} if model else {}).encode()
    try:
        token = InternalKeys.load(settings.KEYS_DIR).token("POST", path, body)
        # An address that the operator configured, so inside addresses are as good as any.
        client = GuardedClient(allow_private=True, max_bytes=MAX_BYTES, seconds=SECONDS)
        return client.post(
            settings.GATEWAY_INTERNAL_URL + path,
            body,
            headers={HEADER: token, "Content-Type": "application/json"},
        )
    except (FetchFailed, AddressRefused) as error:
        raise GatewayUnreachable(
            f"The gateway, which alone calls vendors, did not answer. {error.detail}"
        ) from None
    except (OSError, ValueError, KeyError):
        raise GatewayUnreachable("The key directory cannot be read here.") from None


def _read(answer: Answer) -> dict[str, Any]:
    try:
        document = answer.json()
    except NotJSON:
        document = None
    if not isinstance(document, dict):
        raise GatewayUnreachable("What answered in the gateway's place is not the gateway.")
    if answer.is_ok:
        return document
    said = document.get("error")
    message = said.get("message") if isinstance(said, dict) else document.get("detail")
    words = str(message or f"The gateway answered {answer.status}.")[:500]
    return {"ok": False, "list": {"ok": False, "error": words}}


def _steps(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        _step(title, found[key])
        for key, title in _TITLES.items()
        if isinstance(found.get(key), dict)
    ]


def _step(title: str, said: dict[str, Any]) -> dict[str, Any]:
    ok, status = said.get("ok") is True, said.get("http_status") or 0
    detail = "" if ok else str(said.get("error") or "It failed.")[:500]
    if not ok and (advice := ADVICE.get(status)):
        detail = f"{advice} {detail}"
    return {
        "name": title,
        "ok": ok,
        "ms": int(said.get("milliseconds") or 0),
        "http_status": int(status),
        "detail": detail,
        "entry": str(said.get("entry") or ""),
    }


def _names(found: dict[str, Any]) -> list[str]:
    listed = found.get("models")
    names = [one for one in listed if isinstance(one, str)] if isinstance(listed, list) else []
    return list(dict.fromkeys(names))[:500]


def _chat(names: Any) -> list[str]:
    """Those that can answer a chat by their looks; all of them when none can."""
    listed = list(names)
    able = [one for one in listed if not any(word in one.lower() for word in _NOT_CHAT)]
    return able or listed
