from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def cast(db: None) -> Any:
    from tests.factories import make_cast

    return make_cast()
