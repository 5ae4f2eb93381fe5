"""E-mail over SMTP: one message, built by the library, its id derived from the key.

No header is put together from text: addresses are read one by one, a line break anywhere but
in the text is refused. A message that the server took is done; one whose end nobody heard is
not known, and cannot be looked up.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any, Final

from credentials.dialling import Place as Address
from credentials.errors import AddressRefused, FetchFailed
from effects.adapters.adapter import Ending, Lent, Place, Plan, Sent, Work
from effects.adapters.errors import ArgumentsRefused, wrong
from effects.adapters.filling import check_template, fill, is_place
from effects.adapters.shape import check_members, check_seconds, check_text

_MAILBOX: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,253}")
_MOST_RECIPIENTS: Final = 50
_LONGEST_SUBJECT: Final = 400
_LONGEST_TEXT: Final = 200_000
_SECONDS: Final = 20
_SOON: Final = 30.0


class SmtpAdapter:
    """``settings``: host, port, tls (tls, starttls or none), from, helo, timeout_seconds.

    ``template``: to, cc, subject, text; each a text, a list of texts, or a place.
    """

    name = "smtp"
    version = 1

    def check_place(self, place: Place) -> None:
        settings = place.settings
        check_members(
            settings, "settings", needed={"host", "port", "from"},
            more={"tls", "helo", "timeout_seconds"},
        )  # fmt: skip
        _address(place)
        if settings.get("tls", "starttls") not in {"tls", "starttls", "none"}:
            raise wrong("settings/tls", "tls, starttls or none.")
        if settings.get("tls") == "none" and not place.allow_private:
            raise wrong("settings/tls", "mail leaves in the clear only to an address inside.")
        if not isinstance(settings["from"], str) or not _MAILBOX.fullmatch(settings["from"]):
            raise wrong("settings/from", "a plain address such as agents@example.com.")
        check_text(settings.get("helo", "unsprawl"), "settings/helo")
        check_seconds(settings.get("timeout_seconds"), "settings/timeout_seconds")

    def check_work(self, place: Place, work: Work) -> None:
        check_members(work.template, "template", needed={"to", "subject", "text"}, more={"cc"})
        check_members(work.lookup, "lookup", needed=frozenset())
        for member in ("to", "cc"):
            given = work.template.get(member, [])
            for item in given if isinstance(given, list) else [given]:
                if not is_place(item) and not (isinstance(item, str) and _MAILBOX.fullmatch(item)):
                    raise wrong(f"template/{member}", "an address, a list of them, or a place.")
            check_template(given, f"template/{member}")
        for member in ("subject", "text"):
            if not is_place(work.template[member]):
                check_text(work.template[member].replace("\n", ""), f"template/{member}",
                           longest=_LONGEST_TEXT)  # fmt: skip
            check_template(work.template[member], f"template/{member}")

    def plan(self, place: Place, work: Work, arguments: Mapping[str, Any], key: str) -> Plan:
        filled = fill(work.template, arguments, key)
        to, cc = _mailboxes(filled["to"], "to"), _mailboxes(filled.get("cc", []), "cc")
        if not to or len(to) + len(cc) > _MOST_RECIPIENTS:
            raise ArgumentsRefused(f"A message has 1 to {_MOST_RECIPIENTS} recipients.")
        sender = str(place.settings["from"])
        message = EmailMessage(policy=SMTP)
        message["From"] = sender
        message["To"] = ", ".join(to)
        if cc:
            message["Cc"] = ", ".join(cc)
        message["Subject"] = _line(filled["subject"])
        message["Message-ID"] = f"<{key}@{sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        text = _text(filled["text"])
        message.set_content(text, cte="base64" if _is_wide(text) else "7bit")
        server = f"{place.settings['host']}:{place.settings['port']}"
        session = [("login", "•••")] if place.gaps else []
        return Plan((
            ("server", server),
            *session,
            ("from", sender),
            ("to", " ".join([*to, *cc])),
            ("message", message.as_bytes().decode("ascii")),
            # What a person reads, beside the same text as it is written on the wire.
            ("text", text),
        ))  # fmt: skip

    def send(self, place: Place, plan: Plan, lent: Lent, *, key: str, fence: int) -> Sent:
        parts = dict(plan.parts)
        try:
            session = _session(place, lent)
        except (AddressRefused, FetchFailed) as error:
            return Sent(Ending.NOT_DONE, f"unsent:{error.facts.get('reason', '')}", "", _SOON)
        except smtplib.SMTPAuthenticationError as error:
            return Sent(Ending.NOT_DONE, f"smtp:{error.smtp_code}")
        except (smtplib.SMTPException, OSError):
            return Sent(Ending.NOT_DONE, "unsent:session", "", _SOON)
        try:
            return _given(session, parts, key)
        finally:
            session.close()

    def probe(self, place: Place, lent: Lent) -> str:
        try:
            session = _session(place, lent)
            session.close()
        except (AddressRefused, FetchFailed) as error:
            return f"{error.code}:{error.facts.get('reason', '')}"
        except smtplib.SMTPResponseException as error:
            return f"smtp:{error.smtp_code}"
        except (smtplib.SMTPException, OSError):
            return "smtp:no_session"
        return "ok"

    def look_up(
        self, place: Place, work: Work, arguments: Mapping[str, Any], lent: Lent, *, key: str
    ) -> Sent:
        return Sent(Ending.UNKNOWN, "no_lookup")


def _given(session: smtplib.SMTP, parts: Mapping[str, str], key: str) -> Sent:
    """Hand the message over: until its last line, nothing of it counts (RFC 5321 §4.1.1.4)."""
    try:
        for code, _ in (session.mail(parts["from"]), *map(session.rcpt, parts["to"].split())):
            if code not in {250, 251}:
                # One recipient that is refused refuses all: half a decision is none.
                return _refused(code)
        session.putcmd("data")
        code, _ = session.getreply()
        if code != 354:
            return _refused(code)
    except (smtplib.SMTPException, OSError):
        return Sent(Ending.NOT_DONE, "unsent:session", "", _SOON)
    try:
        session.send(_dotted(parts["message"]))
        code, _ = session.getreply()
    except (smtplib.SMTPException, OSError):
        return Sent(Ending.UNKNOWN, "no_answer:broken")
    return Sent(Ending.DONE, "smtp:250", key) if code == 250 else _refused(code)


def _refused(code: int) -> Sent:
    """4xx: not now, and surely not done; 5xx: no."""
    return Sent(Ending.NOT_DONE, f"smtp:{code}", "", 60.0 if 400 <= code < 500 else None)


def _dotted(message: str) -> bytes:
    raw = re.sub(rb"(?m)^\.", b"..", message.encode("ascii"))
    return raw + (b"" if raw.endswith(b"\r\n") else b"\r\n") + b".\r\n"


class _Session(smtplib.SMTP):
    """The library's client over a connection that was vetted and made already."""

    def __init__(self, connection: socket.socket, host: str, helo: str, seconds: float) -> None:
        self._connection = connection
        super().__init__(local_hostname=helo, timeout=seconds)
        self._host = host  # for STARTTLS, which checks the certificate against it

    def _get_socket(self, host: str, port: int, timeout: float | None) -> socket.socket:
        return self._connection


def _session(place: Place, lent: Lent) -> smtplib.SMTP:
    settings = place.settings
    seconds = float(settings.get("timeout_seconds", _SECONDS))
    tls = settings.get("tls", "starttls")
    connection = _address(place).connect(tls=tls == "tls", seconds=seconds)
    connection.settimeout(seconds)
    session = _Session(connection, settings["host"], settings.get("helo", "unsprawl"), seconds)
    try:
        code, _ = session.connect(settings["host"], int(settings["port"]))
        if code != 220:
            raise smtplib.SMTPConnectError(code, b"")
        session.ehlo_or_helo_if_needed()
        if tls == "starttls":
            session.starttls(context=ssl.create_default_context())
            session.ehlo()
        if lent.user:
            session.login(lent.user, lent.password)
    except (smtplib.SMTPException, OSError):
        session.close()
        raise
    return session


def _address(place: Place) -> Address:
    try:
        return Address.parse(
            f"{place.settings['host']}:{place.settings['port']}", allow_private=place.allow_private
        )
    except AddressRefused as error:
        raise wrong("settings/host", error.detail) from None


def _mailboxes(given: object, name: str) -> list[str]:
    found = given if isinstance(given, list) else [given]
    for item in found:
        if not isinstance(item, str) or not _MAILBOX.fullmatch(item):
            raise ArgumentsRefused(
                f"{name}: each recipient is a plain address such as ann@example.com.", field=name
            )
    return [str(item) for item in found]


def _line(given: object) -> str:
    if not isinstance(given, str) or not given or len(given) > _LONGEST_SUBJECT:
        raise ArgumentsRefused(
            f"The subject is a text of 1 to {_LONGEST_SUBJECT} characters.", field="subject"
        )
    if any(ord(sign) < 32 or ord(sign) == 127 or sign in "\u0085\u2028\u2029" for sign in given):
        raise ArgumentsRefused("The subject holds a line break or a control.", field="subject")
    return given


def _text(given: object) -> str:
    if not isinstance(given, str) or len(given) > _LONGEST_TEXT:
        raise ArgumentsRefused(f"The text has at most {_LONGEST_TEXT} characters.", field="text")
    if any(ord(sign) < 32 and sign not in "\n\r\t" for sign in given):
        raise ArgumentsRefused("The text holds a control character.", field="text")
    return given.replace("\r\n", "\n").replace("\r", "\n")


def _is_wide(given: object) -> bool:
    text = str(given)
    return not text.isascii() or any(len(line) > 900 for line in text.splitlines())
