"""The journeys' service for the browser, eyes that see what a page breaks, and patience."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.journeys.conftest import service

__all__ = ["service"]

# What must come on a page comes late on a busy machine.
expect.set_options(timeout=30_000)
