"""Numbers that states give to people: a pattern and, where it has one, its check digits.

A new country is a function and a line here. What has no check digit needs its own writing
(hyphens, letters), and what anything could look like needs its name beside it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from routing.gateway.detectors.detector import Detector, Span, passes_luhn, stands_alone

NAMED_WITHIN: Final = 40  # bytes before a number in which its name must stand

Digits = list[int]


def _us_ssn(said: str) -> bool:
    area, group, serial = said.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def _uk_nino(said: str) -> bool:
    return said[:2] not in {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"}


def _de_tax_id(said: str) -> bool:
    digits = _digits(said)
    counted = Counter(digits[:10]).most_common()
    if len(digits) != 11 or digits[0] == 0 or counted[0][1] not in {2, 3} or counted[1][1] > 1:
        return False
    product = 10
    for digit in digits[:10]:
        product = ((digit + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == digits[10]


def _nl_bsn(said: str) -> bool:
    digits = _digits(said)
    return sum(map(int.__mul__, (9, 8, 7, 6, 5, 4, 3, 2, -1), digits)) % 11 == 0 and any(digits)


def _fr_nir(said: str) -> bool:
    joined = said.replace(" ", "")
    number, key = joined[:13].replace("2A", "19").replace("2B", "18"), int(joined[13:])
    return number.isdigit() and 97 - int(number) % 97 == key


def _es_dni(said: str) -> bool:
    joined = said.replace("-", "")
    number = str("XYZ".find(joined[0])) + joined[1:-1] if joined[0] in "XYZ" else joined[:-1]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == joined[-1]


_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25,
               24, 23)  # fmt: skip


def _it_tax_code(said: str) -> bool:
    places = [int(sign) if sign.isdigit() else ord(sign) - 65 for sign in said]
    total = sum(_ODD[place] for place in places[0:15:2]) + sum(places[1:15:2])
    return total % 26 == places[15]


def _pl_pesel(said: str) -> bool:
    digits = _digits(said)
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    total = sum(map(int.__mul__, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), digits))
    return month in {*range(1, 13), *range(21, 33)} and 1 <= day <= 31 and total % 10 == 0


def _be_number(said: str) -> bool:
    joined = "".join(map(str, _digits(said)))
    number, key = joined[:9], int(joined[9:])
    return key in {97 - int(number) % 97, 97 - int("2" + number) % 97}


def _ch_ahv(said: str) -> bool:
    digits = _digits(said)
    total = sum(digit * (3 if place % 2 else 1) for place, digit in enumerate(digits))
    return total % 10 == 0


def _se_number(said: str) -> bool:
    digits = _digits(said)[-10:]
    month, day = digits[2] * 10 + digits[3], digits[4] * 10 + digits[5]
    return 1 <= month <= 12 and 1 <= day <= 31 and passes_luhn(digits)


def _digits(said: str) -> Digits:
    return [int(sign) for sign in said if sign.isdigit()]


def _check(
    passes: Callable[[str], bool], names: tuple[bytes, ...], text: bytes, start: int, end: int
) -> Iterable[Span]:
    if not stands_alone(text, start, end):
        return
    before = text[max(0, start - NAMED_WITHIN) : start].lower()
    if (not names or any(name in before for name in names)) and passes(text[start:end].decode()):
        yield start, end


def _detector(pattern: str, probe: str, passes: Callable[[str], bool], *names: bytes) -> Detector:
    return Detector(
        "national_id", pattern, probe, "", partial(_check, passes, names), looks_inside=True
    )


_NUMBERS: Final = r"[0-9][0-9. \-]{6,}[0-9]"
DETECTORS: Final = (
    Detector(  # no pattern of its own: what all of the others may begin as
        "national_id",
        r"[^\x00-\x{10FFFF}]",
        r"[^\x00-\x{10FFFF}]",
        r"[A-Za-z0-9_]{1,20}|[A-Za-z0-9_.]{0,20}[0-9](?:[0-9]|[ .\-][0-9]?){0,26}|"
        r"[A-Z]{2}(?: ?[0-9]){0,6} ?[A-D]?",
        lambda text, start, end: (),
    ),
    _detector(r"[0-9]{3}-[0-9]{2}-[0-9]{4}", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", _us_ssn),
    _detector(
        r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?: ?[0-9]{2}){3} ?[A-D]",
        r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2}",
        _uk_nino,
    ),
    _detector(r"[0-9]{11}|[0-9]{2} [0-9]{3} [0-9]{3} [0-9]{3}", _NUMBERS, _de_tax_id),
    _detector(r"[0-9]{9}", r"[0-9]{9}", _nl_bsn, b"bsn", b"burgerservice", b"sofi"),
    _detector(
        r"[12] ?[0-9]{2} ?[0-9]{2} ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9AB]", _fr_nir,
    ),
    _detector(r"[0-9XYZ][0-9]{7}-?[A-Z]", r"[0-9]{7}-?[A-Z]", _es_dni),
    _detector(
        r"[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]",
        r"[A-Z]{6}[0-9LMNP-V]{2}", _it_tax_code,
    ),
    _detector(r"[0-9]{11}", r"[0-9]{11}", _pl_pesel),
    _detector(
        r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}", r"[0-9]\.[0-9]{2}-[0-9]", _be_number
    ),
    _detector(r"756\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}", r"756\.[0-9]", _ch_ahv),
    _detector(r"(?:[0-9]{2})?[0-9]{6}[\-+][0-9]{4}", r"[0-9]{6}[\-+][0-9]{4}", _se_number),
)  # fmt: skip
