"""Columns of a batch as PostgreSQL's binary arrays, written at once instead of value by value.

Owns the encoding (array_recv: dimensions, null flag, element type, then length and bytes of
each element). A batch has some forty columns; through the driver's general adaptation they
were a tenth of a gateway's work.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from struct import pack
from typing import Any, Final

from psycopg import AsyncConnection
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

_NULL: Final = pack(">i", -1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_Encode = Callable[[Any], bytes]


class Column(bytes):
    """An encoded array; its subclass says of what."""

    element: int
    array: int
    encode: _Encode

    @classmethod
    def of(cls, values: Sequence[Any]) -> Column:
        """Encode values, None as null. Raises ValueError for what the type cannot hold."""
        if not values:
            return cls(pack(">iii", 0, 0, cls.element))
        encode = cls.encode
        pieces = [pack(">iiiii", 1, None in values, cls.element, len(values), 1)]
        for value in values:
            if value is None:
                pieces.append(_NULL)
            else:
                raw = encode(value)
                pieces += (len(raw).to_bytes(4, "big"), raw)
        return cls(b"".join(pieces))


def _text(value: str) -> bytes:
    if "\0" in value:
        raise ValueError("a text holds a NUL character")
    return value.encode()


def _moment(value: datetime) -> bytes:
    since = value - _EPOCH
    micros = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return micros.to_bytes(8, "big", signed=True)


def _number(size: int) -> _Encode:
    def encode(value: int) -> bytes:
        try:
            return int(value).to_bytes(size, "big", signed=True)
        except OverflowError:
            raise ValueError("a number is out of range") from None

    return encode


class Texts(Column):
    """A column of texts."""

    element, array, encode = 25, 1009, staticmethod(_text)


class Bytes(Column):
    """A column of byte strings."""

    element, array, encode = 17, 1001, staticmethod(bytes)


class BigInts(Column):
    """A column of 64-bit numbers."""

    element, array, encode = 20, 1016, staticmethod(_number(8))


class Ints(Column):
    """A column of 32-bit numbers."""

    element, array, encode = 23, 1007, staticmethod(_number(4))


class Booleans(Column):
    """A column of truth values."""

    element, array, encode = 16, 1000, staticmethod(_number(1))


class Moments(Column):
    """A column of moments in time."""

    element, array, encode = 1184, 1185, staticmethod(_moment)


BY_TYPE: Final[dict[str, type[Column]]] = {
    "text": Texts,
    "bytea": Bytes,
    "bigint": BigInts,
    "int": Ints,
    "boolean": Booleans,
    "timestamptz": Moments,
}


class _ColumnDumper(Dumper):
    """Hands an encoded column over as it is."""

    format = Format.BINARY

    def dump(self, obj: Any) -> Buffer | None:
        return obj  # type: ignore[no-any-return]


def teach(connection: AsyncConnection[Any]) -> None:
    """Let a connection take columns as parameters."""
    for kind in BY_TYPE.values():
        dumper = type(f"{kind.__name__}Dumper", (_ColumnDumper,), {"oid": kind.array})
        connection.adapters.register_dumper(kind, dumper)
