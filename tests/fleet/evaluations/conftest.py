"""A real gateway over the tests' own database, and vendors that answer what a test scripts.

What needs Django is imported where it is used: this file is read before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.journeys.conftest import llama
from tests.journeys.vendor import Vendor, answer

if TYPE_CHECKING:
    from tests.fleet.evaluations.scene import Said, Scene
    from tests.routing.gateway.conftest import ServedGateway

__all__ = ["llama"]  # a real llama.cpp server, as the journeys have one


@pytest.fixture
def scene(transactional_db: None) -> Scene:
    from registry.actors import Actor
    from rules.actions.shipping import ensure_shipped_bundle
    from tests.factories import make_cast
    from tests.fleet.evaluations.scene import Scene

    ensure_shipped_bundle(actor=Actor.system("prepare"))
    return Scene(make_cast())


@pytest.fixture
def serving() -> Iterator[Callable[[Said], Vendor]]:
    """Yield what starts a vendor on a real socket that answers as it is told."""
    from tests.fleet.evaluations.scene import spoken

    open_ones: list[Any] = []

    def start(said: Said) -> Vendor:
        def script(door: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
            found = said(body)
            if isinstance(found, int):
                answer(door, found, {"error": {"message": "down", "code": "down"}})
            else:
                answer(door, 200, spoken(found, body["model"]))

        vendor = Vendor("", script)
        vendor.is_open = True
        place = vendor.serving()
        place.__enter__()
        open_ones.append(place)
        return vendor

    yield start
    for place in open_ones:
        place.__exit__(None, None, None)


@pytest.fixture
def gateway(scene: Scene, app_address: str, settings: Any) -> Iterator[ServedGateway]:
    from ledger.grants import apply_grants
    from tests.routing.gateway.conftest import ServedGateway

    apply_grants()
    rig: Any = SimpleNamespace(login=app_address, keys_dir=settings.KEYS_DIR)
    served = ServedGateway(rig)
    served.start()
    settings.GATEWAY_INTERNAL_URL = f"http://127.0.0.1:{served.port}"
    yield served
    served.stop()
