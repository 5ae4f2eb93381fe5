from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page

from config import first_steps

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
]


def test_the_printed_link_signs_a_browser_in_as_administrator(live_server: Any, page: Page) -> None:
    page.goto(f"{live_server.url}{first_steps.first_sign_in()}")
    page.locator("main form button").click()
    page.wait_for_url("**/account/welcome/")

    answer = page.goto(f"{live_server.url}/admin/")

    assert answer is not None
    assert answer.status == 200
    assert page.title().startswith("Site administration")
