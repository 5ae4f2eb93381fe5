"""An agent that acts, a connection's name, and a secret for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kernel.refs import Ref, new_id, system
from kernel.sealing import ensure_key_rings
from tests.credentials.leasing.elsewhere import Elsewhere

if TYPE_CHECKING:
    from registry.models import Agent

SECRET = "tool-canary-4f1d9c77e2a85b36"


@pytest.fixture
def rings(tmp_path: Path, settings: Any) -> Path:
    ensure_key_rings(tmp_path / "keys")
    settings.KEYS_DIR = tmp_path / "keys"
    return tmp_path / "keys"


@pytest.fixture
def agent(db: None) -> Agent:
    from tests.factories import make_agent

    return make_agent(stage="live")


@pytest.fixture
def place(agent: Agent, rings: Path) -> Ref:
    from credentials.actions import seal_secret

    found = Ref("connection", new_id("con"))
    seal_secret(found, SECRET, ring="tool", actor=system("test"))
    return found


@pytest.fixture
def lends(agent: Agent, place: Ref) -> Any:
    from credentials.leasing.lending import lend

    def lending(kind: str = "static", settings: dict[str, Any] | None = None, **over: Any) -> Any:
        given: dict[str, Any] = {
            "connection_ref": place,
            "kind": kind,
            "settings": settings or {},
            "holder_agent": agent.public_id,
            "proposal": new_id("prp"),
            "seconds": 30,
        }
        return lend(**given | over)

    return lending


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    """Yield somebody else's database server, reached over TCP, with a table of theirs."""
    made = Elsewhere.start(tmp_path_factory.mktemp("elsewhere"))
    yield made
    made.destroy()


@pytest.fixture
def crm(agent: Agent, rings: Path, elsewhere: Elsewhere) -> Ref:
    from credentials.actions import seal_secret

    found = Ref("connection", new_id("con"))
    seal_secret(found, elsewhere.admin_password, ring="tool", actor=system("test"))
    return found
