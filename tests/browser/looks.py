"""What holds on every page in every look: nothing broken, nothing wider than the screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page


def complaints_of(page: Page) -> list[str]:
    """Return a list that fills with what the page's console and scripts complain of."""
    heard: list[str] = []
    page.on("console", lambda said: heard.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def faults_here(page: Page, what: str) -> list[str]:
    """Say what is wrong with the page as it is now, to axe and to a narrow screen."""
    found = [
        f"{what}: {rule['id']} at {rule['nodes'][0]['target']}"
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in {"serious", "critical"}
    ]
    if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
        found.append(f"{what} scrolls sideways")
    return found


def faults_of(
    page: Page, pages: Mapping[str, str], then: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Go to each of some pages, by name and path, and say all that is wrong with them."""
    heard, found = complaints_of(page), []
    for name, path in pages.items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        page.wait_for_load_state("load")
        then(name)
        found += faults_here(page, path)
    return found + heard
