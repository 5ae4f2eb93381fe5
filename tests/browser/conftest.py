"""The journeys' service for the browser, and eyes that see what a page breaks."""

from __future__ import annotations

from tests.journeys.conftest import service

__all__ = ["service"]
