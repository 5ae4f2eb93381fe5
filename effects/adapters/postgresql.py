"""PostgreSQL: one named statement in one transaction, its parameters bound by the server.

Beside the statement a row is written into a table of ours at the target, where the operation
says so: the key is then known there, and a second sending does nothing. Without it a look-up
statement may tell; a commit whose answer was lost is not known otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg.rows import tuple_row

from credentials.dialling import Place as Address
from credentials.egress import GuardedClient
from credentials.errors import AddressRefused, FetchFailed
from effects.adapters.adapter import Ending, Lent, Place, Plan, Sent, Work
from effects.adapters.errors import ArgumentsRefused, wrong
from effects.adapters.filling import check_template, fill, is_place
from effects.adapters.shape import check_members, check_seconds, check_text
from kernel.canonical import NotCanonical, canonical, strict_loads

_PARAMETER: Final = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)")
# Quoted texts, quoted names, dollar quotes and comments hold no parameters, and are refused
# where a reader could take them for something else.
_QUOTED: Final = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
_TABLE: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}(?:\.[a-z_][a-z0-9_]{0,62})?")
_WORD: Final = re.compile(r"[A-Za-z0-9_.$-]{1,63}")
_TLS: Final = ("verify-full", "require", "disable")
_LONGEST: Final = 8000
_SOON: Final = 10.0


class PostgresqlAdapter:
    """``settings``: host, port, database, tls, statement_seconds.

    ``template``: statement, parameters, key_table, rows (how many it must touch).
    """

    name = "postgresql"
    version = 1

    def check_place(self, place: Place) -> None:
        settings = place.settings
        check_members(
            settings, "settings", needed={"host", "database"},
            more={"port", "tls", "statement_seconds"},
        )  # fmt: skip
        check_text(settings["database"], "settings/database", longest=63)
        tls = settings.get("tls", "verify-full")
        if tls not in _TLS:
            raise wrong("settings/tls", f"one of {', '.join(_TLS)}.")
        if tls != "verify-full" and not place.allow_private:
            raise wrong("settings/tls", "verify-full, unless the address is inside.")
        check_seconds(settings.get("statement_seconds"), "settings/statement_seconds", most=40)
        _address(place)

    def check_work(self, place: Place, work: Work) -> None:
        check_members(
            work.template, "template", needed={"statement"},
            more={"parameters", "key_table", "rows", "key_hours"},
        )  # fmt: skip
        _check_statement(work.template, "template")
        table = work.template.get("key_table")
        if table is not None and (not isinstance(table, str) or not _TABLE.fullmatch(table)):
            raise wrong("template/key_table", "a table's name, such as unsprawl.effects.")
        rows = work.template.get("rows")
        if rows is not None and (type(rows) is not int or rows < 0):
            raise wrong("template/rows", "how many rows it touches, a whole number.")
        check_seconds(work.template.get("key_hours"), "template/key_hours", most=8760)
        if work.lookup:
            check_members(
                work.lookup, "lookup", needed={"statement"}, more={"parameters", "settle_seconds"}
            )
            _check_statement(work.lookup, "lookup")
            check_seconds(work.lookup.get("settle_seconds"), "lookup/settle_seconds", most=86_400)

    def plan(self, place: Place, work: Work, arguments: Mapping[str, Any], key: str) -> Plan:
        settings = place.settings
        parts = [
            ("server", f"{settings['host']}:{settings.get('port', 5432)}/{settings['database']}"),
            *([("login", "•••")] if place.gaps else []),
            ("statement", str(work.template["statement"])),
            ("parameters", _bound(work.template, arguments, key)),
        ]
        if "rows" in work.template:
            parts.append(("rows", str(work.template["rows"])))
        if "key_table" in work.template:
            parts += [("key table", str(work.template["key_table"])), ("key", key)]
        return Plan(tuple(parts))

    def send(self, place: Place, plan: Plan, lent: Lent, *, key: str, fence: int) -> Sent:
        parts = dict(plan.parts)
        if not lent.user:
            return Sent(Ending.NOT_DONE, "unsent:no_login")
        try:
            connection = _connect(place, lent)
        except (AddressRefused, FetchFailed) as error:
            return Sent(Ending.NOT_DONE, f"unsent:{error.facts.get('reason', '')}", "", _SOON)
        except psycopg.Error as error:
            return Sent(Ending.NOT_DONE, f"unsent:{error.sqlstate or 'unreachable'}", "", _SOON)
        try:
            return _carried_out(connection, parts, key)
        finally:
            connection.close()

    def probe(self, place: Place, lent: Lent) -> str:
        if not lent.user:
            return "postgresql:no_login"
        try:
            with _connect(place, lent) as connection:
                connection.execute("SELECT 1")
        except (AddressRefused, FetchFailed) as error:
            return f"{error.code}:{error.facts.get('reason', '')}"
        except psycopg.Error as error:
            return f"postgresql:{error.sqlstate or 'unreachable'}"
        return "ok"

    def look_up(
        self, place: Place, work: Work, arguments: Mapping[str, Any], lent: Lent, *, key: str
    ) -> Sent:
        if not work.lookup:
            return Sent(Ending.UNKNOWN, "no_lookup")
        if not lent.user:
            return Sent(Ending.UNKNOWN, "lookup:no_login")
        try:
            with _connect(place, lent) as connection:
                connection.read_only = True
                values = strict_loads(_bound(work.lookup, arguments, key).encode())
                statement = _numbered(str(work.lookup["statement"]))
                row = connection.execute(statement, cast("dict[str, Any]", values)).fetchone()
        except (AddressRefused, FetchFailed, ArgumentsRefused) as error:
            return Sent(Ending.UNKNOWN, f"lookup:{error.code}")
        except psycopg.Error as error:
            return Sent(Ending.UNKNOWN, f"lookup:{error.sqlstate or 'unreachable'}")
        if row is None or not row[0]:
            return Sent(Ending.NOT_DONE, "lookup:absent")
        reference = str(row[0])[:200] if isinstance(row[0], str | int) else ""
        return Sent(Ending.DONE, "lookup:found", reference if reference.isprintable() else "")


def _carried_out(connection: psycopg.Connection[Any], parts: Mapping[str, str], key: str) -> Sent:
    values = cast("dict[str, Any]", strict_loads(parts["parameters"].encode()))
    try:
        if table := parts.get("key table"):
            # The table's name was read as one when the operation was added.
            noted = f"INSERT INTO {table} (key) VALUES (%s) ON CONFLICT (key) DO NOTHING"  # noqa: S608
            written = connection.execute(_sql(noted), [key])
            if written.rowcount == 0:
                connection.rollback()
                return Sent(Ending.DONE, "postgresql:done_before")
        cursor = connection.execute(_numbered(parts["statement"]), values)
        count = max(cursor.rowcount, 0)
        if "rows" in parts and count != int(parts["rows"]):
            connection.rollback()
            return Sent(Ending.NOT_DONE, f"postgresql:rows_{count}")
    except psycopg.Error as error:
        # Before the commit nothing holds: an error, or a connection that is gone, undoes it.
        is_passing = error.sqlstate is None or error.sqlstate[:2] in {"08", "40", "53", "57"}
        word = error.sqlstate or "broken"
        return Sent(Ending.NOT_DONE, f"postgresql:{word}", "", _SOON if is_passing else None)
    try:
        connection.commit()
    except psycopg.Error as error:
        if error.sqlstate and error.sqlstate[:2] in {"23", "40"}:  # a deferred check, said no
            return Sent(Ending.NOT_DONE, f"postgresql:{error.sqlstate}")
        return Sent(Ending.UNKNOWN, "no_answer:commit")
    return Sent(Ending.DONE, "postgresql:committed", f"{count} row{'' if count == 1 else 's'}")


def _check_statement(given: Mapping[str, Any], member: str) -> None:
    statement = check_text(
        given["statement"].replace("\n", " ").replace("\t", " ")
        if isinstance(given["statement"], str) else given["statement"],
        f"{member}/statement", longest=_LONGEST,
    )  # fmt: skip
    bare = _QUOTED.sub("''", statement)
    if any(sign in bare for sign in ("'", '"')) and bare.replace("''", "").count("'"):
        raise wrong(f"{member}/statement", "a quoted text is not closed.")
    for sign in (";", "--", "/*", "$", "\\", "%"):
        if sign in bare or (sign in {"\\", "%"} and sign in statement):
            raise wrong(
                f"{member}/statement", f"one statement, without {sign}: no comments, no quoting."
            )
    parameters = given.get("parameters", {})
    if not isinstance(parameters, Mapping):
        raise wrong(f"{member}/parameters", "this is an object of names and values.")
    check_template(parameters, f"{member}/parameters")
    for name, value in parameters.items():
        if not is_place(value) and not isinstance(value, str | int | float | bool | None):
            raise wrong(f"{member}/parameters/{name}", "a plain value, or a place.")
    named = set(_PARAMETER.findall(bare))
    if named != set(parameters):
        odd = sorted(named ^ set(parameters))[0]
        raise wrong(f"{member}/parameters", f"{odd!r} is in the statement or here, not in both.")


def _bound(given: Mapping[str, Any], arguments: Mapping[str, Any], key: str) -> str:
    filled = {
        name: fill(value, arguments, key) for name, value in given.get("parameters", {}).items()
    }
    values = {
        name: value if isinstance(value, str | int | float | bool) else None
        for name, value in filled.items()
    }
    for name, value in filled.items():
        if isinstance(value, list | dict):
            values[name] = canonical(value).decode()  # for a jsonb column
    if any(isinstance(value, str) and "\x00" in value for value in values.values()):
        raise ArgumentsRefused("A text holds a NUL character, which no column takes.")
    try:
        return canonical(values).decode()
    except NotCanonical:
        raise ArgumentsRefused(
            "An argument holds a number beyond 2^53; pass it as a text and cast it."
        ) from None


def _numbered(statement: str) -> LiteralString:
    """Write ``:name`` as the driver's ``%(name)s``, which the server binds; texts stay."""
    pieces, at = [], 0
    for quoted in _QUOTED.finditer(statement):
        pieces += [_PARAMETER.sub(r"%(\1)s", statement[at : quoted.start()]), quoted[0]]
        at = quoted.end()
    pieces.append(_PARAMETER.sub(r"%(\1)s", statement[at:]))
    return _sql("".join(pieces))


def _sql(text: str) -> LiteralString:
    # The operation's own statement, which the platform wrote and people decided on.
    return text


def _address(place: Place) -> Address:
    port = place.settings.get("port", 5432)
    try:
        return Address.parse(f"{place.settings['host']}:{port}", allow_private=place.allow_private)
    except AddressRefused as error:
        raise wrong("settings/host", error.detail) from None


def _connect(place: Place, lent: Lent) -> psycopg.Connection[Any]:
    """Connect to a vetted address; the name stays for the certificate."""
    target = _address(place).target
    client = GuardedClient(allow_private=place.allow_private, ports=frozenset({target.port}))
    address = client.vet(target)[0][1][0]
    seconds = int(place.settings.get("statement_seconds", 20))
    tls = place.settings.get("tls", "verify-full")
    connection = psycopg.Connection[Any].connect(
        host=target.host,
        hostaddr=address,
        port=target.port,
        dbname=str(place.settings["database"]),
        # Said even where empty: what is left out is taken from the worker's own environment.
        user=lent.user,
        password=lent.password,
        require_auth="scram-sha-256",  # a password is proven, never sent
        sslmode=tls,
        sslrootcert="system" if tls == "verify-full" else "",
        sslcertmode="disable",
        gssencmode="disable",
        connect_timeout=10,
        application_name="unsprawl",
        options=f"-c statement_timeout={seconds * 1000} -c lock_timeout={seconds * 1000}"
        f" -c idle_in_transaction_session_timeout={(seconds + 5) * 1000}",
        passfile="/dev/null",
        row_factory=tuple_row,
    )
    connection.prepare_threshold = None
    return connection
