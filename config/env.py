"""Reading the environment: strict, and complete before it fails.

Owns how a variable becomes a value. Every problem is collected, so an operator sees all
of them at once, each naming its variable; a value is never guessed. Django-free, because
the gateway reads its settings here too.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import available_timezones

_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class Misconfigured(Exception):
    """Raised once, with every problem found; never carries the value of a secret."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__(
            "\n".join(["The environment is not usable:", *(f"  {p}" for p in problems)])
        )


class Env:
    """Typed reads of one environment, with the problems met on the way."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str = "") -> str:
        # A variable that is set and empty is as good as absent: compose files pass those.
        return self._environ.get(name, "").strip() or default

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.text(name).lower()
        if value in _TRUE:
            return True
        if value and value not in _FALSE:
            self.problems.append(f"{name} must be true or false, not {value!r}.")
        return default if not value else False

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int = 2**31) -> int:
        value = self.text(name)
        if not value:
            return default
        if not (value.isascii() and value.isdigit() and minimum <= int(value) <= maximum):
            self.problems.append(f"{name} must be a whole number from {minimum} to {maximum}.")
            return default
        return int(value)

    def port(self, name: str, default: int) -> int:
        return self.integer(name, default, minimum=1, maximum=65535)

    def time_zone(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if value not in available_timezones():
            self.problems.append(f"{name} must be a time zone's name, such as Europe/Berlin.")
            return default
        return value

    def listing(self, name: str) -> list[str]:
        return [part for part in (piece.strip() for piece in self.text(name).split(",")) if part]

    def choices(self, name: str, allowed: frozenset[str]) -> frozenset[str]:
        chosen = frozenset(self.listing(name))
        if unknown := chosen - allowed:
            self.problems.append(
                f"{name} knows {', '.join(sorted(allowed))}; not {', '.join(sorted(unknown))}."
            )
        return chosen & allowed

    def minimum(self, name: str, default: str) -> dict[str, int]:
        """What a soft launch must have shown: two counts, then three shares in percent."""
        members = ("decided", "each", "agreement", "lower", "errors")
        numbers = _numbers(self.text(name, default))
        if len(numbers) != len(members) or numbers[0] < 1 or max(numbers[2:]) > 100:
            self.problems.append(
                f"{name} must be five whole numbers, such as {default}: how many actions were"
                " decided, how many of each operation, and in percent the agreement, its lower"
                " bound and the errors."
            )
            numbers = _numbers(default)
        return dict(zip(members, numbers, strict=True))

    def path(self, name: str, default: Path) -> Path:
        value = self.text(name)
        return Path(value).expanduser().absolute() if value else default

    def url(self, name: str, default: str) -> str:
        """An http(s) origin without a trailing slash."""
        value = self.text(name, default).rstrip("/")
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query:
            self.problems.append(f"{name} must be an http or https address.")
            return default
        return value

    def secret(self, name: str) -> str:
        """A secret by value, or by file when ``<name>_FILE`` is set; never echoed."""
        file = self.text(f"{name}_FILE")
        if not file:
            return self.text(name)
        if self.text(name):
            self.problems.append(f"Set {name} or {name}_FILE, not both.")
        try:
            return Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(f"{name}_FILE cannot be read ({type(error).__name__}).")
            return ""

    def check(self) -> None:
        """Raise Misconfigured with every problem met so far."""
        if self.problems:
            raise Misconfigured(list(dict.fromkeys(self.problems)))


def _numbers(text: str) -> list[int]:
    """Read whole numbers by comma; none where one of them is something else."""
    parts = [part.strip() for part in text.split(",")]
    return [int(part) for part in parts] if all(map(_is_number, parts)) else []


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6
