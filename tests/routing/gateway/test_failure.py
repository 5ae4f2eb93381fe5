"""What a vendor says about waiting, whatever it says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import clock
from routing.gateway.errors import KeyRevoked, ShuttingDown, VendorGarbage, VendorUnreachable
from routing.gateway.failure import failure_of, retry_after
from routing.gateway.open_calls import VendorDisabled


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (b"7", 7.0),
        (b" 0.5 ", 0.5),
        (b"Sat, 21 Nov 2026 12:00:05 GMT", 5.0),
        (b"Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        (b"999999999999", 86_400.0),
        (b"-3", None),
        (b"nan", None),
        (b"soon", None),
        (b"", None),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_nonsense_is_nothing(said, seconds):
    with clock.held_at(datetime(2026, 11, 21, 12, tzinfo=UTC)):
        assert retry_after([(b"retry-after", said)]) == seconds


def test_milliseconds_win():
    assert retry_after([(b"retry-after", b"9"), (b"retry-after-ms", b"250")]) == 0.25


@given(st.binary(max_size=80))
def test_no_text_of_a_vendor_breaks_it(said):
    found = retry_after([(b"retry-after", said), (b"retry-after-ms", said)])
    assert found is None or 0 <= found <= 86_400


def test_what_we_end_ourselves_is_no_failure_of_the_target():
    assert failure_of(KeyRevoked(), 200, "", []) is None
    assert failure_of(ShuttingDown(), 0, "", []) is None
    stopped = failure_of(VendorDisabled(), 0, "", [])
    assert stopped is not None
    assert not stopped.blames_target


def test_kinds_and_reasons():
    told = [
        failure_of(VendorUnreachable(), 0, "", []),
        failure_of(VendorGarbage(), 200, "", []),
        failure_of(None, 529, "overloaded_error", []),
        failure_of(None, 404, "model_not_found", []),
        failure_of(None, 200, "anything a vendor says", []),
    ]
    assert [each and (each.kind, each.reason, each.blames_target) for each in told] == [
        ("connect", "vendor_unreachable", True),
        ("broken", "vendor_garbage", True),
        ("529", "http_529", True),
        ("404", "http_404", False),
        ("broken", "stream_error", True),
    ]
    assert failure_of(None, 200, "", []) is None
