"""What the tests of effects share: systems that count what they did.

Django is not set up when this is read, so whatever needs it is imported within.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.effects.sinks import HttpSink, http_sink


@pytest.fixture
def sink() -> Iterator[HttpSink]:
    with http_sink() as running:
        yield running
