"""Internal requests: only the very request that was signed, only for a minute."""

from __future__ import annotations

from kernel.keys import PepperRing
from routing.internal import VALID_SECONDS, InternalKeys

KEYS = InternalKeys(PepperRing("p1", {"p1": b"a" * 32}))
PATH = "/internal/vendors/ven_1/test"


def test_the_request_that_was_signed_is_accepted():
    token = KEYS.token("POST", PATH, b"{}", now=1000)
    assert KEYS.accepts(token, "post", PATH, b"{}", now=1000 + VALID_SECONDS)


def test_another_method_path_or_body_is_not():
    token = KEYS.token("POST", PATH, b"{}", now=1000)
    assert not KEYS.accepts(token, "GET", PATH, b"{}", now=1000)
    assert not KEYS.accepts(token, "POST", PATH + "x", b"{}", now=1000)
    assert not KEYS.accepts(token, "POST", PATH, b"{ }", now=1000)


def test_a_token_dies_after_a_minute_and_does_not_come_from_the_future():
    token = KEYS.token("POST", PATH, now=1000)
    assert not KEYS.accepts(token, "POST", PATH, now=1000 + VALID_SECONDS + 1)
    assert not KEYS.accepts(token, "POST", PATH, now=1000 - VALID_SECONDS - 1)


def test_a_token_of_another_installation_is_refused():
    other = InternalKeys(PepperRing("p1", {"p1": b"b" * 32}))
    assert not KEYS.accepts(other.token("POST", PATH, now=1000), "POST", PATH, now=1000)


def test_a_token_under_the_pepper_before_still_holds_after_rotation():
    rotated = InternalKeys(PepperRing("p2", {"p1": b"a" * 32, "p2": b"c" * 32}))
    assert rotated.accepts(KEYS.token("POST", PATH, now=1000), "POST", PATH, now=1000)


def test_junk_is_refused_without_a_fault():
    for junk in ("", ".", "x.y", "٣.ab", "9" * 40 + ".a", "1000", "1000.é"):
        assert not KEYS.accepts(junk, "POST", PATH, now=1000)


def test_the_keys_do_not_show_themselves():
    assert repr(KEYS) == "InternalKeys(•••)"
