"""What people typed is text in a spreadsheet, wherever its cells begin."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.sheets import cell, line, table

ROOT = Path(__file__).resolve().parents[2]
CALL = "=HYPERLINK(1)"
STARTS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        (CALL, f"'{CALL}"),
        ("+1", "'+1"), ("-1", "'-1"), ("@SUM(1)", "'@SUM(1)"), ("\uff1d1", "'\uff1d1"),
        (f" {CALL}", f" '{CALL}"), (f"\x00{CALL}", f"'\x00'{CALL}"),
        (f"\t{CALL}", f"'\t'{CALL}"), (f"\n{CALL}", f"'\n'{CALL}"),
        (f"x;{CALL}", f"x;'{CALL}"), (f"x; {CALL}", f"x; '{CALL}"),
        (f"a\r\n{CALL}", f"a\r\n'{CALL}"),
        (f';"{CALL}', f";\"'{CALL}"),
        ("a - b = c", "a - b = c"), ("x@acme.test", "x@acme.test"), ("", ""),
        (-5, -5), (0.5, 0.5), (None, None), (["=1"], "['=1']"),
    ],
)  # fmt: skip
def test_a_text_that_would_be_run_is_marked_and_a_number_stays_one(
    typed: object, written: object
) -> None:
    assert cell(typed) == written


@given(st.text(alphabet=st.sampled_from([*STARTS, *" \t\r\n\x00;,'\"a|"]), max_size=12))
def test_no_cell_begins_with_a_formula_however_a_program_parts_the_line(typed: str) -> None:
    row = line(["name", typed, "end"])
    for separator in (",", ";", "\t"):
        plain = row.replace("\x00", "").replace("\r", "\n")
        for cells in csv.reader(io.StringIO(plain, newline=""), delimiter=separator):
            begin = [each.lstrip(' \t\r\n"')[:1] for each in cells]
            assert not any(first and first in STARTS for first in begin), (separator, cells)


def test_what_is_written_is_read_again_cell_by_cell() -> None:
    sheet = table(["agent", "calls"], [["a, b", 3], ['say "x"\nand y', None]])
    assert list(csv.reader(io.StringIO(sheet))) == [
        ["agent", "calls"], ["a, b", "3"], ['say "x"\nand y', ""],
    ]  # fmt: skip


def test_every_table_we_give_is_written_here() -> None:
    packages = ("config", "fleet", "outlets", "effects", "routing", "rules", "approvals",
                "registry", "credentials", "ledger", "policy")  # fmt: skip
    own = [
        str(path.relative_to(ROOT))
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"csv\.(writer|DictWriter)", path.read_text(encoding="utf-8"))
    ]
    assert own == []
