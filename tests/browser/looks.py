"""What holds on every page in every look: nothing broken, nothing wider than the screen.

A page is loaded once and turned from look to look, as a person turns a screen or the theme:
what a second load of it would show is the same, and takes three times as long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

Look = tuple[str, int]
LOOKS: Final[tuple[Look, ...]] = (("light", 1280), ("dark", 390))
EVERY_LOOK: Final[tuple[Look, ...]] = (*LOOKS, ("light", 390), ("dark", 1280))
# What a page asks of the server by itself is held back while it is looked at: a panel that
# waits for an answer is paler, and one that has it may be another. Charts are drawn anew in
# the next frame; what slides, fades or changes colour is at its end at once.
_SETTLE: Final = """async () => {
  const held = (window.heldBack ??= { asked: new Map(), hold: null });
  if (!held.hold) {
    held.hold = (event) => {
      event.preventDefault();
      held.asked.set(event.target, event.detail.issueRequest);
    };
    document.addEventListener("htmx:confirm", held.hold);
  }
  const frame = () => new Promise(requestAnimationFrame);
  const moving = ".htmx-request, .htmx-swapping, .htmx-added, .htmx-settling";
  while (document.querySelector(moving)) await frame();
  for (let each = 0; each < 2; each++) await frame();
  for (const each of document.getAnimations()) {
    if (each.effect.getComputedTiming().endTime !== Infinity) each.finish();
  }
}"""
_LET_GO: Final = """() => {
  document.removeEventListener("htmx:confirm", window.heldBack.hold);
  for (const [element, ask] of window.heldBack.asked) if (element.isConnected) ask(true);
  window.heldBack = undefined;
}"""
_ASK: Final = "axe.run({resultTypes: ['violations']})"
_WIDE: Final = "document.documentElement.scrollWidth > innerWidth"


def complaints_of(page: Page) -> list[str]:
    """Return a list that fills with what the page's console and scripts complain of."""
    heard: list[str] = []
    page.on("console", lambda said: heard.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


def turn(page: Page, look: Look) -> None:
    """Show the page as it is in this theme and at this width."""
    theme, width = look
    scheme: Any = theme
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})


def faults_here(page: Page, what: str, looks: Sequence[Look] = ()) -> list[str]:
    """Say what is wrong with the page as it is now, or in each of some looks."""
    found = []
    for look in looks:
        turn(page, look)
        found += _faults(page, f"{what} in {look}")
    return found if looks else _faults(page, what)


def _faults(page: Page, what: str) -> list[str]:
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    page.evaluate(_SETTLE)
    found = [
        f"{what}: {rule['id']} at {rule['nodes'][0]['target']}"
        for rule in page.evaluate(_ASK)["violations"]
        if rule["impact"] in {"serious", "critical"}
    ]
    if page.evaluate(_WIDE):
        found.append(f"{what} scrolls sideways")
    page.evaluate(_LET_GO)
    return found


def faults_of(
    page: Page,
    pages: Mapping[str, str],
    then: Callable[[str], None] = lambda _: None,
    looks: Sequence[Look] = (),
) -> list[str]:
    """Go to each of some pages, by name and path, and say all that is wrong with them.

    With looks, each page is turned to each of them, and `then` is told the name and the look.
    """
    heard, found = complaints_of(page), []
    for name, path in pages.items():
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == 200, path
        page.wait_for_load_state("load")
        for look in looks:
            turn(page, look)
            then(f"{name}-{look[0]}-{look[1]}")
            found += _faults(page, f"{path} in {look}")
        if not looks:
            then(name)
            found += _faults(page, path)
    return found + heard
