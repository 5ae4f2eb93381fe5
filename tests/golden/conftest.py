"""What recording golden runs needs: a gateway, vendors, a database."""

from __future__ import annotations

from typing import Any

import pytest

from tests.golden.recording import Recording
from tests.routing.gateway.conftest import (
    ServedGateway,
    other,
    other_scripted,
    rig,
    scripted,
    served,
    vendor,
    world,
)
from tests.routing.gateway.scripted import ScriptedVendor

__all__ = ["other", "other_scripted", "rig", "scripted", "served", "vendor", "world"]


@pytest.fixture
def recording(
    rig: Any,
    world: Any,
    served: ServedGateway,
    vendor: ScriptedVendor,
    other: ScriptedVendor,
) -> Recording:
    return Recording(rig, world, served, vendor, other)
