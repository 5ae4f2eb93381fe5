"""A large file over a bad line: it goes in parts, and is gone on with, also by another page."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import pytest

from fleet.discovery.actions.readings import place_of
from fleet.discovery.models import Reading
from tests.browser.looks import faults_here
from tests.browser.test_steering_pages import opened
from tests.factories import make_cast
from tests.fleet.discovery.test_logs import SQUID

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SHOTS = os.environ.get("SCREENSHOTS_DIR", "")
PARTS = "**/api/v1/discovery/readings/*/parts*"


class Line:
    """What stands between the page and the server: it breaks once, and then for good."""

    def __init__(self) -> None:
        self.is_mended = False
        self.breaks = 0
        self.sent: list[int] = []

    def carry(self, route: Any) -> None:
        is_cut = (len(self.sent) == 1 and not self.breaks) or len(self.sent) == 2
        if is_cut and not self.is_mended:
            self.breaks += 1
            route.abort("connectionreset")
            return
        self.sent.append(len(route.request.post_data_buffer or b""))
        route.continue_()


def kept(page: Any, name: str) -> None:
    if SHOTS:
        page.screenshot(path=str(Path(SHOTS) / f"{name}.png"), full_page=True)


def test_a_large_file_over_a_bad_line_is_gone_on_with(
    browser: Any, live_server: Any, settings: Any, tmp_path: Path
) -> None:
    settings.EXPORT_DIR = tmp_path / "exports"
    settings.EXPORT_DIR.mkdir()
    log = tmp_path / "proxy.log"
    log.write_bytes(SQUID * (5_000_000 // len(SQUID)))
    size, line = log.stat().st_size, Line()
    page = opened(browser, live_server, make_cast().sam)
    page.route(PARTS, line.carry)

    # It breaks once and goes on by itself; then for good, and the page is left.
    page.goto("/unregistered/sources/")
    page.locator("#id_format").select_option("squid")
    page.locator("#id_file").set_input_files(log)
    page.get_by_role("button", name="Read it").click()
    broken = page.get_by_text("The line is broken; it goes on by itself.")
    deadline = time.monotonic() + 60
    while line.breaks < 2:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    broken.wait_for()
    kept(page, "upload-broken")
    page.on("dialog", lambda asked: asked.accept())
    reading = Reading.objects.get()
    there = place_of(reading.public_id).stat().st_size
    assert 0 < there == sum(line.sent) < size

    # Its own page takes the same file, and no other, and sends what is missing.
    page.goto(f"/unregistered/readings/{reading.public_id}/")
    line.is_mended = True
    other = tmp_path / "other.log"
    other.write_bytes(b"x")
    page.get_by_label("The same file again").set_input_files(other)
    page.get_by_role("button", name="Send the rest").click()
    page.get_by_text("This is another file").wait_for()
    assert faults_here(page, "the rest") == []
    kept(page, "upload-rest")
    page.get_by_label("The same file again").set_input_files(log)
    with page.expect_navigation():
        page.get_by_role("button", name="Send the rest").click()
    page.get_by_text("You can leave this page.").wait_for()
    page.context.close()

    reading.refresh_from_db()
    assert (reading.received, sum(line.sent)) == (size, size)
    assert reading.sha256 == hashlib.sha256(log.read_bytes()).hexdigest()
