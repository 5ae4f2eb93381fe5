"""Nothing reaches the network but through a door that vets where it leads.

Everything that leaves goes through `credentials.egress` (requests), `credentials.dialling` and
`credentials.databases` (connections), or the gateway's own upstream, which asks the same address
predicate. Whoever else touches the network is named here, with the reason.
"""

from __future__ import annotations

import ast

from config.places import BASE_DIR
from tests.architecture.test_house_style import SOURCES

NETWORK = {
    "socket", "http.client", "urllib.request", "smtplib", "ftplib", "imaplib", "poplib",
    "telnetlib", "xmlrpc.client", "requests", "urllib3", "aiohttp", "httpx", "aiohappyeyeballs",
    "websockets", "aiosmtplib", "boto3", "botocore", "paramiko", "pycurl", "django.core.mail",
    "asyncio.streams",
}  # fmt: skip
DOORS = {
    "credentials/egress.py": "the guarded client itself",
    "credentials/dialling.py": "vetted connections that are no requests",
    "credentials/databases.py": "sessions with other PostgreSQL servers, over a vetted address",
    "routing/gateway/upstream.py": "the gateway's way to vendors, with the same predicate",
    "fleet/discovery/scanning/scan_repository.py": "runs in others' CI and asks their server",
    "outlets/feeds/syslog.py": "writes on a socket that dialling opened",
    "config/watched.py": "asks the processes of this machine whether they are ready",
    "config/machine.py": "the name of this machine",
    "config/preconditions.py": "free ports",
    "config/up.py": "the readiness of what it started itself",
    "routing/door.py": "asks whether the operator's own gateway listens where the settings say",
    "routing/runtime.py": "the name of this machine",
    "routing/whereabouts.py": "the name of this machine",
    "policy/worker.py": "takes the network away from a child",
    "policy/chamber.py": "takes the network away from a child",
    "policy/remote.py": "the operator's OPA_URL, no setting of the portal",
    "ledger/sequencing/remote.py": "the operator's witnesses, no setting of the portal",
    "routing/actions/budget_notices.py": "mail over the operator's own server",
    "effects/launch/demoting.py": "mail over the operator's own server",
    "approvals/channels/mail.py": "mail over the operator's own server",
    "approvals/channels/told.py": "mail over the operator's own server",
    "fleet/health/probing/client.py": "probes of agents, to addresses vetted by the same predicate",
    "effects/adapters/smtp.py": "speaks SMTP on a socket that dialling opened",
}
# Sessions with our own database, whose address the operator gives.
OWN_DATABASE = {
    "config/durable.py", "config/embedded/postgres.py", "ledger/awaiting.py",
    "ledger/exports/snapshot.py", "ledger/sequencing/service.py", "ledger/journal.py",
    "routing/reported.py", "routing/announcing.py", "routing/freshness.py", "routing/stored.py",
    "routing/policy_in_force.py",
}  # fmt: skip


def _imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _touches(name: str) -> bool:
    return any(name == door or name.startswith(f"{door}.") for door in NETWORK)


def _calls(tree: ast.Module) -> set[str]:
    return {
        ast.unparse(node.func)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_only_named_doors_touch_the_network() -> None:
    touching = {file for file, tree in SOURCES if any(map(_touches, _imported(tree)))}
    assert sorted(touching - set(DOORS)) == []
    assert sorted(set(DOORS) - touching) == []
    assert all(DOORS.values())


def test_no_connection_is_opened_by_another_way() -> None:
    ways = {"asyncio.open_connection", "asyncio.create_connection", "os.system",
            "urllib.request.urlopen"}  # fmt: skip
    found = [
        (file, way) for file, tree in SOURCES for way in _calls(tree) & ways if file not in DOORS
    ]
    assert found == []


def test_databases_are_our_own_or_vetted() -> None:
    ways = {"psycopg.connect", "psycopg.AsyncConnection.connect", "psycopg.Connection.connect"}
    opening = {file for file, tree in SOURCES if _calls(tree) & ways}
    assert sorted(opening - OWN_DATABASE - {"credentials/databases.py"}) == []


def test_the_gateway_asks_the_same_predicate() -> None:
    source = (BASE_DIR / "routing/gateway/upstream.py").read_text(encoding="utf-8")
    assert "is_permitted" in source
