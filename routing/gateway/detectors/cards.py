"""Payment cards: a number of an issuer's range and length, grouped as cards are, passing Luhn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from routing.gateway.detectors.detector import Detector, Span, passes_luhn, stands_alone

_BETWEEN: Final = r"(?:[ \-]|\x{a0})"
# From, to (of the first four digits), and the lengths that are issued there.
_RANGES: Final = (
    (2221, 2720, {16}),  # Mastercard
    (3000, 3059, {14}),  # Diners
    (3400, 3499, {15}),  # American Express
    (3528, 3589, {16, 17, 18, 19}),  # JCB
    (3600, 3699, {14, 15, 16, 17, 18, 19}),  # Diners
    (3700, 3799, {15}),
    (3800, 3999, {14, 16}),
    (4000, 4999, {13, 16, 19}),  # Visa
    (5100, 5599, {16}),
    (5000, 5099, {16, 19}),  # Maestro, and those that share its ranges
    (5600, 5899, {16, 19}),
    (6000, 6999, {16, 17, 18, 19}),  # Discover, UnionPay, RuPay, Maestro
    (8100, 8171, {16, 17, 18, 19}),
)
_GROUPS: Final = {
    (4, 4, 4, 4), (4, 4, 4, 4, 1), (4, 4, 4, 4, 2), (4, 4, 4, 4, 3), (4, 6, 5), (4, 6, 4),
    (6, 13), (4, 4, 4, 1),
}  # fmt: skip


def _check(text: bytes, start: int, end: int) -> Iterable[Span]:
    groups = _groups(text, start, end)
    first = 0
    while first < len(groups):
        taken = next(_cards(text, groups, first), 0)
        if taken:
            yield groups[first][0], groups[first + taken - 1][1]
        first += taken or 1


def _groups(text: bytes, start: int, end: int) -> list[Span]:
    found: list[Span] = []
    begun = start
    for index in range(start, end + 1):
        if index == end or not 48 <= text[index] <= 57:
            if index > begun:
                found.append((begun, index))
            begun = index + 1
    return found


def _cards(text: bytes, groups: list[Span], first: int) -> Iterator[int]:
    """Yield how many groups from here on are a card, the most first."""
    for count in (5, 4, 3, 2, 1):
        some = groups[first : first + count]
        if len(some) < count:
            continue
        sizes = tuple(end - start for start, end in some)
        if count > 1 and sizes not in _GROUPS:
            continue
        if _is_card(b"".join(text[start:end] for start, end in some)) and stands_alone(
            text, some[0][0], some[-1][1]
        ):
            yield count


def _is_card(digits: bytes) -> bool:
    if not 13 <= len(digits) <= 19:
        return False
    head = int(digits[:4])
    if not any(low <= head <= high and len(digits) in sizes for low, high, sizes in _RANGES):
        return False
    numbers = [byte - 48 for byte in digits]
    return passes_luhn(numbers) and any(numbers[4:])


DETECTORS: Final = (
    Detector(
        "card",
        rf"[0-9](?:{_BETWEEN}?[0-9]){{12,}}",
        rf"[0-9](?:{_BETWEEN}?[0-9]){{12}}",
        # The word before it too: a number is none when it hangs on one.
        rf"[A-Za-z0-9_.]*[0-9](?:{_BETWEEN}?[0-9])*(?:{_BETWEEN}|\.)?",
        _check,
    ),
)
