"""Rows of a table that people open in a spreadsheet. Nothing in a cell is run there.

A spreadsheet takes a text that begins with one of a few characters for a formula, and one that
separates by semicolons finds beginnings inside of ours. An apostrophe before each makes it text.
Numbers stay numbers. Every table we give as CSV is written here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

# Where a cell can begin, for some program: at the start, after what ends a line or parts cells.
# The wide forms are taken for the plain ones by spreadsheets of East Asian locales.
_FORMULA: Final = re.compile(r"(\A|[;\t\r\n])([\s\x00\"]*)([=+\-@\uff1d\uff0b\uff0d\uff20])")
_MOVES: Final = ("\t", "\r", "\n", "\x00")


def line(values: Iterable[Any]) -> str:
    """Write one row, with its end."""
    out = io.StringIO()
    csv.writer(out).writerow([cell(value) for value in values])
    return out.getvalue()


def table(columns: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Write a table that fits into memory, with its columns' names."""
    return line(columns) + "".join(line(row) for row in rows)


def cell(value: Any) -> Any:
    """Return what is written for a value: a number as it is, a text that nobody runs."""
    if value is None or isinstance(value, int | float):
        return value
    text = _FORMULA.sub(r"\1\2'\3", str(value))
    return f"'{text}" if text.startswith(_MOVES) else text
