"""Bank accounts: an IBAN of its country's length that passes ISO 7064 mod 97-10."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from routing.gateway.detectors.detector import Detector, Span, is_word

_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22,
    "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27,
    "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27,
    "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HR": 21, "HU": 28, "IE": 22,
    "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20, "LB": 28, "LC": 32,
    "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24,
    "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31,
    "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23,
    "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
}  # fmt: skip


def _check(text: bytes, start: int, end: int) -> Iterable[Span]:
    if is_word(text, start - 1):
        return
    wanted = _LENGTHS.get(text[start : start + 2].decode().upper())
    if wanted is None:
        return
    taken = bytearray()
    index = start
    while index < end and len(taken) < wanted:
        if text[index] != 32:
            taken.append(text[index])
        elif len(taken) % 4:
            return  # printed in groups of four, or in none
        index += 1
    if len(taken) == wanted and not is_word(text, index) and _passes(taken.decode().upper()):
        yield start, index


def _passes(iban: str) -> bool:
    turned = iban[4:] + iban[:4]
    return int("".join(str(int(sign, 36)) for sign in turned)) % 97 == 1


DETECTORS: Final = (
    Detector(
        "iban",
        r"[A-Za-z]{2}[0-9]{2} ?[A-Za-z0-9](?: ?[A-Za-z0-9]){9,36}",
        r"[A-Za-z]{2}[0-9]{2} ?[A-Za-z0-9]",
        r"[A-Za-z0-9_]{1,40}|[A-Za-z]{2}[0-9]{2}(?: ?[A-Za-z0-9]){0,36} ?",
        _check,
        looks_inside=True,
    ),
)
