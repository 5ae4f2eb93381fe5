"""One PostgreSQL and one broker a test session, real ones, shared by every worker.

The environment is set before Django's settings are read, and the session never touches
the data directory of a running service. Tests run as the owner role; what the application
role may not do is tested by logging in as it (``app_address``).
"""

from __future__ import annotations

import itertools
import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.embedded import privilege
from config.embedded.postgres import LOGIN, OWNER, SEQUENCER, Postgres
from config.embedded.valkey import Valkey
from config.places import Places
from kernel.sealing import ensure_key_rings
from ledger.exports.signing import ensure_export_key
from policy.engine import Judge
from policy.remote import RemoteJudge

_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_HOME = Path(
    os.environ["UNSPRAWL_TEST_HOME"] if _WORKER else tempfile.mkdtemp(prefix="unsprawl-test-")
)
for _name in [name for name in os.environ if name.startswith("UNSPRAWL_")]:
    if not _name.startswith("UNSPRAWL_SOAK"):  # how long and how often: `make soak` says
        del os.environ[_name]
for _name in ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "PORT", "GATEWAY_PORT"):
    os.environ.pop(_name, None)
os.environ |= {
    "UNSPRAWL_TEST_HOME": str(_HOME),
    "UNSPRAWL_DATA_DIR": str(_HOME),
    "UNSPRAWL_PLAIN_STATIC": "true",
    "UNSPRAWL_OPENS": "vendor,tool,inbound,payload",
    "DJANGO_SETTINGS_MODULE": "config.settings",
    # The browser tests drive a live server from a thread with an event loop.
    "DJANGO_ALLOW_ASYNC_UNSAFE": "true",
}
ensure_key_rings(_HOME / "keys")
ensure_export_key(_HOME / "keys", "http://127.0.0.1:8000")


_SHREDS = itertools.count()


class Services:
    """The servers of a session, started by the first who needs them in the main process."""

    def __init__(self) -> None:
        self._postgres: Postgres | None = None
        self._valkey: Valkey | None = None

    def start(self) -> dict[str, str]:
        noted = _HOME / "services.json"
        if not noted.exists():
            places = Places(_HOME)
            places.make()
            sockets = privilege.sockets_directory()
            # A test session has nothing worth a flush to the disk.
            self._postgres = Postgres(places.postgres, sockets, fsync=False)
            self._valkey = Valkey(places.valkey, sockets)
            self._postgres.create()
            with (places.logs / "postgres.log").open("ab") as log:
                self._postgres.spawn(log)
            self._valkey.spawn()
            self._postgres.wait_ready()
            self._postgres.ensure_roles()
            with self._postgres.connect() as superuser:
                # Tests clean up after themselves and tamper; a real owner may not do this.
                superuser.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
            self._valkey.wait_ready()
            addresses = {
                "owner": self._postgres.address(OWNER),
                "login": self._postgres.address(LOGIN),
                "sequencer": self._postgres.address(SEQUENCER),
                "broker": self._valkey.address,
            }
            noted.write_text(json.dumps(addresses), encoding="utf-8")
        stored: dict[str, str] = json.loads(noted.read_text(encoding="utf-8"))
        return stored

    def stop(self) -> None:
        if self._valkey is not None:
            self._valkey.stop()
        if self._postgres is not None:
            self._postgres.destroy()
            shutil.rmtree(self._postgres.sockets, ignore_errors=True)


_services = Services()


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says how busy the machine is, not whether the code is right.
    hypothesis.settings.register_profile(
        "tests", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("tests")
    # Nor does how long a decision of policy takes: what is about deadlines names its own.
    for judge in (Judge, RemoteJudge):
        defaults = judge.__init__.__kwdefaults__
        assert defaults is not None
        defaults["deadline_seconds"] = 20.0
    # The settings need the environment above, so they are read no earlier than here;
    # pytest-django sets Django up after this, and only when they have been read.
    from django.conf import settings

    settings.DATABASES  # noqa: B018
    # With several workers the main process owns the servers: it is the last to end.
    if not _WORKER and config.getoption("numprocesses", None):
        _services.start()


def pytest_unconfigure(config: pytest.Config) -> None:
    if not _WORKER:
        _services.stop()
        shutil.rmtree(_HOME, ignore_errors=True)


def _chromium() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def _turn(item: pytest.Item) -> int:
    return 1 if item.get_closest_marker("slow") or "every_look" in item.name else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    grouped = [item for item in items if item.get_closest_marker("xdist_group")]
    if _WORKER and not all("@" in item.nodeid.rpartition("]")[2] for item in grouped):
        raise pytest.UsageError("This xdist does not keep this pytest's groups on one worker.")
    browser = [item for item in items if item.get_closest_marker("browser")]
    if early := [item.nodeid for item in grouped if item in browser]:
        raise pytest.UsageError(
            f"A group may run early, and a browser's test only last: {early[0]}"
        )
    # Last, because the browser's driver keeps an event loop in the main thread to its end,
    # and a test with a loop of its own cannot run beside it. Of these the long ones first:
    # no worker is to end with a test of a minute while the other has nothing left.
    items.sort(key=lambda item: _turn(item) if item in browser else 0)
    if browser and _chromium() is None:
        if os.environ.get("CI") == "true":
            raise pytest.UsageError("There is no chromium, and under CI=true no test is skipped.")
        sys.stderr.write("\n!! NO CHROMIUM: THE BROWSER TESTS ARE SKIPPED\n")
        for item in browser:
            item.add_marker(pytest.mark.skip(reason="there is no chromium on this machine"))


@pytest.fixture(autouse=True)
def shreds_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give each test a shred journal that is not there yet: what is destroyed stays destroyed."""
    from django.conf import settings

    before = settings.SHREDS_DIR
    settings.SHREDS_DIR = tmp_path_factory.getbasetemp() / f"shreds-{next(_SHREDS)}"
    yield
    settings.SHREDS_DIR = before


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Launch the system's chromium; as root it has no sandbox of its own."""
    return {
        "executable_path": _chromium(),
        "args": ["--no-sandbox"] if os.geteuid() == 0 else [],
    }


@pytest.fixture(scope="session")
def services() -> dict[str, str]:
    """Return the addresses of the session's servers: owner, login, broker."""
    return _services.start()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    services: dict[str, str], django_db_modify_db_settings_parallel_suffix: None
) -> None:
    from django.db import connections

    from config.database import database_from

    for name, value in database_from(services["owner"]).items():
        connections["default"].settings_dict[name] = value


_EMPTY = """
CREATE OR REPLACE FUNCTION pg_temp.empty_tables(names text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE name text; is_used boolean;
BEGIN
  FOREACH name IN ARRAY names LOOP
    EXECUTE format('SELECT EXISTS (SELECT FROM %%I)', name) INTO is_used;
    IF is_used THEN EXECUTE format('DELETE FROM %%I', name); END IF;
  END LOOP;
END $$;
SELECT pg_temp.empty_tables(%s)
"""


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> None:
    """Let the tests' own cleaning, and nothing else, pass the append-only triggers.

    It empties the tables that hold something, where Django truncates all of them and writes
    content types and permissions anew: a hundred times as long as most tests of this kind.
    """
    from django.core.management.commands import flush
    from django.db import connection
    from django.db.backends.postgresql.operations import DatabaseOperations

    from ledger import custody

    def empty(self: DatabaseOperations, statements: list[str]) -> None:
        lasting = {"django_content_type", "auth_permission", "django_migrations"}
        named = set(connection.introspection.django_table_names()) - lasting
        tables = [*sorted(named), "ledger_payload"]
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            cursor.execute(_EMPTY, [tables])
            cursor.execute("SET session_replication_role = origin")
        custody.forget_keys()  # their rows are gone

    DatabaseOperations.execute_sql_flush = empty  # type: ignore[method-assign,assignment]
    flush.emit_post_migrate_signal = lambda *_, **__: None  # type: ignore[attr-defined]


@pytest.fixture
def owner_address(db: None, services: dict[str, str]) -> str:
    """Return the address of this worker's test database, for connections of one's own."""
    return _pointed_at_test_database(services["owner"])


@pytest.fixture
def app_address(db: None, services: dict[str, str]) -> str:
    """Return the same database as the application's role, with its grants and no more."""
    return _pointed_at_test_database(services["login"])


@pytest.fixture
def sequencer_address(db: None, services: dict[str, str]) -> str:
    """Return the same database as the sequencer's role."""
    return _pointed_at_test_database(services["sequencer"])


def _pointed_at_test_database(address: str) -> str:
    from django.db import connection

    return make_conninfo(
        **(conninfo_to_dict(address) | {"dbname": connection.settings_dict["NAME"]})
    )


@pytest.fixture
def broker_address(services: dict[str, str]) -> str:
    return services["broker"]


@pytest.fixture
def key_directory() -> Path:
    return _HOME / "keys"


@pytest.fixture
def own_sockets() -> Iterator[Path]:
    """Yield a short directory for a test's own servers."""
    made = privilege.sockets_directory()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def password() -> str:
    return secrets.token_urlsafe(16)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what a test counted (``record_property``), also when it passed."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                terminalreporter.write_line(f"{name}: {value}")
