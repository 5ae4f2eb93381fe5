"""Statements at a real PostgreSQL, in a schema of their own."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from effects.adapters.adapter import Ending, Lent, Place, Work
from effects.adapters.errors import ArgumentsRefused, SettingsInvalid
from effects.adapters.postgresql import PostgresqlAdapter
from tests.effects.adapters.contract import KEY, AdapterContract, Case
from tests.effects.fault_proxy import Proxy, fault_proxy
from tests.ports import free_port

ADAPTER = PostgresqlAdapter()


@dataclass
class Target:
    address: str
    schema: str
    proxy: Proxy
    database: str

    def run(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.address, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def count(self) -> int:
        found: int = self.run(f"SELECT count(*) FROM {self.schema}.note")[0][0]
        return found

    def place(self, port: int | None = None) -> Place:
        settings = {
            "host": "127.0.0.1", "port": port or self.proxy.port, "database": self.database,
            "tls": "disable",
        }  # fmt: skip
        return Place("books", settings, allow_private=True, gaps=("user", "password"))

    def work(self, **over: Any) -> Work:
        template = {
            "statement": f"INSERT INTO {self.schema}.note (memo, amount) VALUES (:memo, :amount)",
            "parameters": {"memo": {"$argument": "/memo"}, "amount": {"$argument": "/amount"}},
            "rows": 1,
        }
        return Work("post", template | over)


@pytest.fixture
def target(db: None, services: dict[str, str], owner_address: str) -> Iterator[Target]:
    schema = f"target_{secrets.token_hex(4)}"
    parts = conninfo_to_dict(owner_address)
    socket_file = f"{parts['host']}/.s.PGSQL.{parts.get('port', 5432)}"
    with fault_proxy(socket_file) as proxy:
        made = Target(owner_address, schema, proxy, str(parts["dbname"]))
        made.run(f"CREATE SCHEMA {schema}")
        made.run(f"CREATE TABLE {schema}.note (memo text NOT NULL, amount int CHECK (amount > 0))")
        made.run(f"CREATE TABLE {schema}.keys (key text PRIMARY KEY)")
        yield made
        made.run(f"DROP SCHEMA {schema} CASCADE")


def password_of(target: Target) -> str:
    return str(conninfo_to_dict(target.address)["password"])


def case_of(target: Target, idempotency: str, user: str) -> Case:
    def breaks() -> None:
        target.proxy.cut_answer_to = b"COMMIT"

    def refuses() -> None:
        target.run(f"ALTER TABLE {target.schema}.note ADD CHECK (memo = 'never')")

    more: dict[str, Any] = {}
    look_work = None
    if idempotency == "native":
        more["key_table"] = f"{target.schema}.keys"
    if idempotency == "lookup":
        statement = (
            f"WITH done AS (INSERT INTO {target.schema}.keys VALUES (:key))"
            f" INSERT INTO {target.schema}.note (memo, amount) VALUES (:memo, :amount)"
        )
        parameters = target.work().template["parameters"] | {"key": {"$key": True}}
        more |= {"statement": statement, "parameters": parameters}
        look_work = replace(
            target.work(**more),
            lookup={
                "statement": f"SELECT key FROM {target.schema}.keys WHERE key = :key",
                "parameters": {"key": {"$key": True}},
            },
        )
    return Case(
        ADAPTER,
        target.place(),
        look_work or target.work(**more),
        {"memo": "it's '; DROP TABLE note; --", "amount": 12},
        "memo",
        target.count,
        target.place(free_port()),
        refuses,
        breaks,
        idempotency,
        Lent(user=user, password=password_of(target)),
        look_work,
    )


@pytest.fixture
def user(owner_address: str) -> str:
    return str(conninfo_to_dict(owner_address)["user"])


pytestmark = pytest.mark.django_db(transaction=True)


class TestNative(AdapterContract):
    @pytest.fixture
    def case(self, target: Target, user: str) -> Case:
        return case_of(target, "native", user)


class TestLookup(AdapterContract):
    @pytest.fixture
    def case(self, target: Target, user: str) -> Case:
        return case_of(target, "lookup", user)


def test_arguments_are_values_and_never_sql(target: Target, user: str) -> None:
    case = case_of(target, "native", user)
    assert case.send().reference == "1 row"
    assert target.run(f"SELECT memo, amount FROM {target.schema}.note") == [
        ("it's '; DROP TABLE note; --", 12)
    ]


def test_another_number_of_rows_than_promised_undoes_it(target: Target, user: str) -> None:
    work = target.work(
        statement=f"UPDATE {target.schema}.note SET memo = :memo WHERE amount = :amount"
    )
    sent = replace(case_of(target, "none", user), work=work).send()
    assert (sent.ending, sent.status) == (Ending.NOT_DONE, "postgresql:rows_0")


def test_a_statement_that_takes_too_long_is_stopped(target: Target, user: str) -> None:
    work = target.work(statement="SELECT pg_sleep(:amount), :memo::text", rows=1)
    place = replace(target.place(), settings={**target.place().settings, "statement_seconds": 1})
    sent = replace(case_of(target, "none", user), work=work, place=place).send()
    assert (sent.ending, sent.status) == (Ending.NOT_DONE, "postgresql:57014")


def test_without_a_login_nothing_of_the_workers_own_is_used(
    target: Target, user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGUSER", user)
    monkeypatch.setenv("PGPASSWORD", password_of(target))
    case = replace(case_of(target, "none", user), lent=Lent())
    assert (case.send().ending, case.send().status) == (Ending.NOT_DONE, "unsent:no_login")
    sent = replace(case, lent=Lent(user=user)).send()
    assert sent.ending is Ending.NOT_DONE
    assert target.count() == 0


BAD = [
    {"statement": "SELECT 1; DROP TABLE x", "parameters": {}},
    {"statement": "SELECT 1 -- no", "parameters": {}},
    {"statement": "SELECT /* no */ 1", "parameters": {}},
    {"statement": "SELECT $$x$$", "parameters": {}},
    {"statement": "SELECT '100%'", "parameters": {}},
    {"statement": "SELECT ':memo", "parameters": {}},
    {"statement": "SELECT :memo", "parameters": {}},
    {"statement": "SELECT 1", "parameters": {"memo": {"$argument": "/memo"}}},
    {"statement": "SELECT ':memo'", "parameters": {"memo": {"$argument": "/memo"}}},
    {"key_table": "keys; DROP TABLE x"},
    {"rows": -1},
]


@pytest.mark.parametrize("change", BAD)
def test_a_statement_that_two_readers_could_read_differently_is_refused(
    change: dict[str, Any],
) -> None:
    template: dict[str, Any] = {"statement": "SELECT :memo", "parameters": {"memo": 1}}
    place = Place("books", {"host": "db.example.com", "database": "books"})
    with pytest.raises(SettingsInvalid):
        ADAPTER.check_work(place, Work("post", template | change))


def test_a_cast_and_a_quoted_colon_are_no_parameters() -> None:
    template = {"statement": "SELECT ':x', :memo::text", "parameters": {"memo": 1}}
    ADAPTER.check_work(
        Place("books", {"host": "db.example.com", "database": "books"}), Work("post", template)
    )


@pytest.mark.parametrize("value", ["a\x00b", 2**60])
def test_what_no_column_takes_is_refused(value: object) -> None:
    template = {"statement": "SELECT :memo", "parameters": {"memo": {"$argument": "/memo"}}}
    place = Place("books", {"host": "db.example.com", "database": "books"})
    with pytest.raises(ArgumentsRefused):
        ADAPTER.plan(place, Work("post", template), {"memo": value}, KEY)


@pytest.mark.parametrize(
    ("settings", "private"),
    [
        ({"host": "127.0.0.1"}, False),
        ({"host": "db.example.com/x"}, False),
        ({"host": "db.example.com", "tls": "disable"}, False),
        ({"host": "db.example.com", "tls": "prefer"}, True),
        ({"host": "169.254.169.254"}, True),
        ({"host": "/var/run/postgresql"}, True),
    ],
)
def test_a_server_that_may_not_be_one_is_refused(settings: dict[str, Any], private: bool) -> None:
    with pytest.raises(SettingsInvalid):
        ADAPTER.check_place(Place("books", settings | {"database": "b"}, allow_private=private))
