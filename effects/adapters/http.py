"""HTTP: one request to the connection's host, made from a template.

The host is the connection's and never an argument's. A status tells how it ended; without one
everything is open from the first byte that left, and nothing was done before it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Self

from credentials.addresses import Target
from credentials.egress import Answer, GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from effects.adapters.adapter import FENCE_GAP, SECRET_GAP, Ending, Lent, Place, Plan, Sent, Work
from effects.adapters.addressing import (
    check_path,
    check_query,
    expand,
    written_query,
)
from effects.adapters.answers import after_failure, after_status, looked_up
from effects.adapters.errors import ArgumentsRefused, wrong
from effects.adapters.filling import check_template, fill, is_place, is_pointer, scalar
from effects.adapters.shape import check_members, check_seconds
from kernel.canonical import NotCanonical, canonical

METHODS: Final = ("POST", "PUT", "PATCH", "DELETE", "GET")
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
# What frames a request, says who asks, or belongs to a proxy: never a template's.
_NOT_OURS: Final = frozenset(
    {
        "accept-encoding", "authorization", "connection", "content-encoding", "content-length",
        "content-type", "cookie", "expect", "forwarded", "host", "keep-alive",
        "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "via",
    }
)  # fmt: skip
_MAX_BYTES: Final = 256 * 1024


class HttpAdapter:
    """``settings``: base_url, timeout_seconds. The template is in docs/guides/connect-a-system.md.

    Keeps nothing between calls.
    """

    name = "http"
    version = 1

    def check_place(self, place: Place) -> None:
        check_members(place.settings, "settings", needed={"base_url"}, more={"timeout_seconds"})
        base = place.settings["base_url"]
        if not isinstance(base, str):
            raise wrong("settings/base_url", "this is an address such as https://crm.example.com.")
        try:
            found = Target.parse(base, allow_private=place.allow_private)
            # Whatever port the connection names is its own; the network decides.
            _client(place, base).check(base)
        except AddressRefused as error:
            raise wrong("settings/base_url", error.detail) from None
        if found.query is not None:
            raise wrong("settings/base_url", "the address has no query.")
        check_seconds(place.settings.get("timeout_seconds"), "settings/timeout_seconds")

    def check_work(self, place: Place, work: Work) -> None:
        template = work.template
        check_members(
            template,
            "template",
            needed={"method", "path"},
            more={
                "query", "headers", "json", "form", "idempotency_header", "fence_header",
                "reference", "key_hours",
            },
        )  # fmt: skip
        if template["method"] not in METHODS:
            raise wrong("template/method", f"one of {', '.join(METHODS)}.")
        _check_request(template, "template", place)
        _check_body(template)
        for member in ("idempotency_header", "fence_header"):
            if member in template:
                _check_header_name(template[member], f"template/{member}", place)
        _check_pointer(template.get("reference"), "template/reference")
        check_seconds(template.get("key_hours"), "template/key_hours", most=8760)
        if work.lookup:
            self._check_lookup(place, work.lookup)

    def _check_lookup(self, place: Place, lookup: Mapping[str, Any]) -> None:
        check_members(
            lookup,
            "lookup",
            needed={"path", "done"},
            more={"query", "headers", "reference", "settle_seconds"},
        )
        _check_request(lookup, "lookup", place)
        done = lookup["done"]
        if not isinstance(done, Mapping) or set(done) != {"pointer", "equals"}:
            raise wrong("lookup/done", 'an object such as {"pointer": "/id", "equals": …}.')
        _check_pointer(done["pointer"] or "", "lookup/done/pointer")
        check_template(done["equals"], "lookup/done/equals")
        _check_pointer(lookup.get("reference"), "lookup/reference")
        check_seconds(lookup.get("settle_seconds"), "lookup/settle_seconds", most=86_400)

    def plan(self, place: Place, work: Work, arguments: Mapping[str, Any], key: str) -> Plan:
        template = work.template
        parts = [("request", _line(place, template["method"], template, arguments, key))]
        headers = _headers(template, arguments, key)
        body = _body(template, arguments, key)
        if body is not None:
            headers["Content-Type"] = body[0]
        if "idempotency_header" in template:
            headers[template["idempotency_header"]] = key
        parts += [(f"header {name}", value) for name, value in sorted(headers.items())]
        if "fence_header" in template:
            parts.append((f"header {template['fence_header']}", FENCE_GAP))
        parts += [(f"header {name}", SECRET_GAP) for name in place.gaps]
        if body is not None:
            parts.append(("body", body[1]))
        if "reference" in template:
            parts.append(("reference in the answer", template["reference"]))
        return Plan(tuple(parts))

    def send(self, place: Place, plan: Plan, lent: Lent, *, key: str, fence: int) -> Sent:
        request = _Request.of(plan, fence)
        has_key = any(key in text for _, text in plan.parts)
        try:
            answer = _client(place, request.url).request(
                request.method,
                request.url,
                headers=request.headers | dict(lent.headers),
                body=request.body,
            )
        except AddressRefused as error:
            return Sent(Ending.NOT_DONE, f"address:{error.facts.get('reason', '')}")
        except FetchFailed as error:
            return after_failure(error, has_key=has_key)
        return after_status(answer, request.reference, has_key=has_key)

    def probe(self, place: Place, lent: Lent) -> str:
        base = str(place.settings["base_url"])
        try:
            answer = _client(place, base).get(base, headers=dict(lent.headers))
        except (AddressRefused, FetchFailed) as error:
            return f"{error.code}:{error.facts.get('reason', '')}"
        # Most systems answer their root with something; only these say who may not come in.
        return f"http:{answer.status}" if answer.status in {401, 403} else "ok"

    def look_up(
        self, place: Place, work: Work, arguments: Mapping[str, Any], lent: Lent, *, key: str
    ) -> Sent:
        lookup = work.lookup
        if not lookup:
            return Sent(Ending.UNKNOWN, "no_lookup")
        try:
            url = _line(place, "GET", lookup, arguments, key).removeprefix("GET ")
            headers = _headers(lookup, arguments, key) | dict(lent.headers)
            wanted = fill(lookup["done"]["equals"], arguments, key)
            answer: Answer = _client(place, url).get(url, headers=headers)
        except FetchFailed as error:
            return Sent(Ending.UNKNOWN, f"lookup:{error.facts.get('reason', '')}")
        except (AddressRefused, ArgumentsRefused) as error:
            return Sent(Ending.UNKNOWN, f"lookup:{error.code}")
        return looked_up(answer, lookup, wanted)


@dataclass(slots=True)
class _Request:
    """A plan read back: what is on the wire is what was shown."""

    method: str = ""
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    reference: str = ""

    @classmethod
    def of(cls, plan: Plan, fence: int) -> Self:
        request = cls()
        for name, text in plan.parts:
            if name == "request":
                request.method, _, request.url = text.partition(" ")
            elif name == "body":
                request.body = text.encode()
            elif name == "reference in the answer":
                request.reference = text
            elif text != SECRET_GAP:
                value = str(fence) if text == FENCE_GAP else text
                request.headers[name.removeprefix("header ")] = value
        return request


def _client(place: Place, url: str) -> GuardedClient:
    port = Target.parse(url, allow_private=place.allow_private).port
    return GuardedClient(
        allow_private=place.allow_private,
        ports=frozenset({port}),
        max_bytes=_MAX_BYTES,
        seconds=float(place.settings.get("timeout_seconds", 20)),
    )


def _check_request(given: Mapping[str, Any], member: str, place: Place) -> None:
    check_path(given["path"], f"{member}/path")
    if "query" in given:
        check_query(given["query"], f"{member}/query")
        check_template(given["query"], f"{member}/query")
    headers = given.get("headers", {})
    if not isinstance(headers, Mapping):
        raise wrong(f"{member}/headers", "this is an object of names and values.")
    for name, value in headers.items():
        _check_header_name(name, f"{member}/headers/{name}", place)
        if not is_place(value) and not (isinstance(value, str) and _is_header_text(value)):
            raise wrong(f"{member}/headers/{name}", "a value is printable ASCII, or a place.")
    check_template(headers, f"{member}/headers")


def _check_body(template: Mapping[str, Any]) -> None:
    if "json" in template and "form" in template:
        raise wrong("template/form", "a request has json or a form, not both.")
    if "form" in template:
        check_query(template["form"], "template/form")
    for member in ("json", "form"):
        check_template(template.get(member), f"template/{member}")


def _check_pointer(pointer: object, member: str) -> None:
    if pointer is not None and not is_pointer(pointer):
        raise wrong(member, "a pointer into the answer, as /id is.")


def _check_header_name(name: object, member: str, place: Place) -> None:
    if not isinstance(name, str) or not _HEADER.fullmatch(name):
        raise wrong(member, "this is not a header's name.")
    if name.lower() in _NOT_OURS or name.lower() in {gap.lower() for gap in place.gaps}:
        raise wrong(member, "this header is not a template's: the credential or the client sets it")


def _is_header_text(text: str) -> bool:
    return text.isascii() and text.isprintable() and text == text.strip() and len(text) <= 2000


def _headers(given: Mapping[str, Any], arguments: Mapping[str, Any], key: str) -> dict[str, str]:
    headers = {}
    for name, value in fill(given.get("headers", {}), arguments, key).items():
        headers[name] = scalar(value, name)
        if not _is_header_text(headers[name]):
            raise ArgumentsRefused(f"The header {name} would not be printable ASCII.", field=name)
    return headers


def _line(
    place: Place, method: str, given: Mapping[str, Any], arguments: Mapping[str, Any], key: str
) -> str:
    base = Target.parse(str(place.settings["base_url"]), allow_private=place.allow_private)
    url = base.origin + base.path.rstrip("/") + expand(given["path"], arguments)
    query = written_query(given.get("query", {}), arguments, key)
    made = url + (f"?{query}" if query else "")
    try:
        read = Target.parse(made, allow_private=place.allow_private)
    except AddressRefused:
        raise ArgumentsRefused("With these arguments the address would be too long.") from None
    if read.origin != base.origin:  # pragma: no cover  no template is known that does it
        raise ArgumentsRefused("With these arguments the address would be another host's.")
    return f"{method} {read.url}"


def _body(
    template: Mapping[str, Any], arguments: Mapping[str, Any], key: str
) -> tuple[str, str] | None:
    if "form" in template:
        return "application/x-www-form-urlencoded", written_query(template["form"], arguments, key)
    if "json" not in template:
        return None
    try:
        text = canonical(fill(template["json"], arguments, key)).decode()
    except NotCanonical:
        raise ArgumentsRefused(
            "An argument holds a number beyond 2^53; pass it as a text."
        ) from None
    return "application/json", text
