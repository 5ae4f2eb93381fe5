"""The whole outcome as people live it: one browser each, the service as `make run` starts it.

An administrator follows the printed link and invites colleagues; an employee registers an
agent and asks; security answers; the employee gets a key; an unchanged client calls; the
call shows with its cost. With SCREENSHOTS_DIR set, the pictures of the README are made.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import openai
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.journeys.conftest import Service

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SHOTS = os.environ.get("SCREENSHOTS_DIR", "")
PASSWORD = "a long and winding road"
REGISTERED_WITHIN_SECONDS = 120


@dataclass
class Somebody:
    """A person with a browser window of their own."""

    page: Page
    service: Service

    def goes_to(self, path: str) -> Page:
        self.page.goto(path if path.startswith("http") else f"{self.service.web}{path}")
        return self.page

    def comes_in_by(self, link: str) -> None:
        self.goes_to(link)
        self.page.get_by_role("button", name=re.compile("Sign in as")).click()
        self.page.get_by_label("New password", exact=True).fill(PASSWORD)
        self.page.get_by_label("New password, again").fill(PASSWORD)
        self.page.get_by_role("button", name="Set the password").click()
        self.page.wait_for_url(f"{self.service.web}/")

    def looks_around(self, name: str = "") -> None:
        """Let the page be judged and, if it is one of the README's, pictured."""
        found = Axe().run(self.page).response["violations"]
        bad = [each["id"] for each in found if each["impact"] in {"serious", "critical"}]
        assert bad == [], f"{self.page.url}: {bad}"
        if SHOTS and name:
            self.page.evaluate("scrollTo(0, 0)")
            self.page.screenshot(path=str(Path(SHOTS) / f"{name}.png"))


@pytest.fixture
def people(browser: Browser, service: Service) -> Iterator[Any]:
    """Yield a way to give somebody a window; each must end without a complaint."""
    complaints: list[str] = []
    contexts = []

    def window() -> Somebody:
        context = browser.new_context(
            viewport={"width": 1280, "height": 860}, color_scheme="light", locale="en-GB"
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" else None,
        )
        return Somebody(page, service)

    yield window
    for context in contexts:
        context.close()
    assert complaints == []


def printed_link(service: Service) -> str:
    found = re.findall(r"http\S+/enter/\S+/", service.log.read_text())
    assert found, "no sign-in link was printed"
    return str(found[-1])


def invited(admin: Somebody, email: str, name: str, *roles: str) -> str:
    """Invite a colleague by the form and return the link that is shown once."""
    page = admin.goes_to("/people/invite/")
    page.get_by_label("E-mail").fill(email)
    page.locator("[name=name]").fill(name)
    for role in roles:
        page.get_by_label(re.compile(f"^{role}:")).check()
    page.get_by_role("button", name="Make the account and a link").click()
    return page.locator("#link").inner_text()


def registers(alice: Somebody, backup: str) -> float:
    """Register by the guided form; return how long it took."""
    page = alice.goes_to("/agents/")
    page.get_by_role("link", name="Register an agent").first.click()
    began = time.monotonic()
    page.get_by_label("What is it called?").fill("Invoice sorter")
    page.get_by_label("What does it do?").fill(
        "Reads incoming invoices and sorts them by cost centre."
    )
    page.get_by_label("What is it for, and who profits?").fill(
        "Saves the accounts team two hours a day."
    )
    page.get_by_label("Backup owner").fill(backup)
    page.get_by_role("checkbox", name=re.compile("^Internal")).check()
    sandbox = page.locator('input[name=routes][value="sandbox"]')
    if not sandbox.is_checked():
        sandbox.check()
    expect(page.locator("#preview")).to_contain_text("name: invoice-sorter")
    alice.looks_around("register")
    page.get_by_role("button", name="Register", exact=True).click()
    page.wait_for_url(f"{alice.service.web}/agents/invoice-sorter/")
    return time.monotonic() - began


def calls_the_gateway(service: Service, key: str) -> None:
    client = openai.OpenAI(base_url=f"{service.gateway}/v1", api_key=key, max_retries=0)
    for number in range(8):
        answer = client.chat.completions.create(
            model="sandbox",
            messages=[
                {"role": "user", "content": f"Sort invoice {4711 + number}. " * (number + 1)}
            ],
            extra_headers={"x-unsprawl-run": "first-run"},
        )
        assert answer.choices[0].message.content
    stream = client.chat.completions.create(
        model="sandbox", messages=[{"role": "user", "content": "Again, slowly."}], stream=True
    )
    assert "".join(part.choices[0].delta.content or "" for part in stream if part.choices)


def test_from_the_printed_link_to_a_call_with_its_cost(service: Service, people: Any) -> None:
    admin, alice, sam = people(), people(), people()

    admin.comes_in_by(printed_link(service))
    admin.looks_around()
    links = {
        "alice": invited(admin, "alice@acme.example", "Alice Andersen"),
        "bob": invited(admin, "bob@acme.example", "Bob Brown"),
        "sam": invited(admin, "sam@acme.example", "Sam Sentinel", "Security"),
    }
    admin.goes_to("/people/")
    admin.looks_around()

    alice.comes_in_by(links["alice"])
    assert registers(alice, "bob@acme.example") < REGISTERED_WITHIN_SECONDS
    alice.looks_around()
    alice.page.get_by_role("button", name="Submit for review").click()
    expect(alice.page.get_by_text("Wait for the review")).to_be_visible()

    sam.comes_in_by(links["sam"])
    sam.goes_to("/reviews/").get_by_role("link", name="May invoice-sorter run?").click()
    expect(sam.page.get_by_role("heading", name="Who would see which data")).to_be_visible()
    sam.looks_around("review")
    sam.page.keyboard.press("a")
    sam.page.keyboard.type("Fine: internal data, no tools.")
    sam.page.get_by_role("button", name="Approve").click()
    expect(sam.page.get_by_text("May invoice-sorter run? Yes.")).to_be_visible()

    page = alice.goes_to("/agents/invoice-sorter/")
    page.get_by_role("link", name="Issue a key").click()
    page.get_by_label("Label").fill("laptop")
    page.get_by_role("button", name="Issue the key").click()
    key = page.locator("#new-key").inner_text()
    assert key.startswith("usp_")
    alice.looks_around()

    # The page waits for the call by itself, and nothing is reloaded.
    page.get_by_role("link", name="I have stored it").click()
    expect(page.locator("#first-call")).to_contain_text("Waiting")
    alice.looks_around("connect")
    calls_the_gateway(service, key)
    expect(page.locator("#first-call")).to_contain_text("was answered by sandbox-1")

    alice.goes_to("/agents/invoice-sorter/")
    first = page.locator("#live tbody tr").first
    expect(first).to_contain_text("sandbox-1")
    expect(first.locator('[data-label="Cost"]')).to_contain_text("$")
    expect(page.locator("#live tbody tr")).to_have_count(8)
    expect(page.locator("#live .tile").first).to_contain_text("9", timeout=60_000)
    page.reload()
    expect(page.locator(".uplot").first).to_be_visible()
    alice.looks_around("agent")

    alice.goes_to("/agents/invoice-sorter/history/")
    expect(page.get_by_text("Key issued")).to_be_visible()
    alice.looks_around()
    verified = service.manage("verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
