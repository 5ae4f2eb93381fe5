from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel import keys
from kernel.keys import AGENT_PREFIX, PERSON_PREFIX, Credential, PepperRing

PEPPERS = PepperRing("p2", {"p1": bytes(32), "p2": b"\x01" * 32})


def test_a_credential_says_its_kind_and_id_and_hides_the_rest() -> None:
    issued = keys.issue(AGENT_PREFIX)
    prefix, key_id, secret, check = issued.text.split("_")
    assert (prefix, key_id) == ("usp", issued.key_id)
    assert (len(key_id), len(secret), len(check)) == (8, 43, 6)
    assert str(issued) == f"usp_{key_id}_•••"
    assert secret not in repr(issued)
    assert keys.issue(PERSON_PREFIX).text.startswith("ust_")
    assert keys.parse(issued.text) == issued


def test_no_two_credentials_are_alike() -> None:
    issued = {keys.issue(AGENT_PREFIX).text for _ in range(500)}
    assert len(issued) == 500


@given(st.integers(0, 64), st.characters(min_codepoint=33, max_codepoint=0x250))
def test_one_changed_character_is_refused_without_a_look_up(place: int, other: str) -> None:
    text = keys.issue(AGENT_PREFIX).text
    place %= len(text)
    changed = text[:place] + other + text[place + 1 :]
    assert (keys.parse(changed) is None) == (changed != text)


@given(st.text(max_size=90))
def test_noise_is_no_credential(noise: str) -> None:
    assert keys.parse(noise) is None


@pytest.mark.parametrize("cut", [1, 6, 7, 30, 60])
def test_half_a_credential_is_none(cut: int) -> None:
    text = keys.issue(AGENT_PREFIX).text
    assert keys.parse(text[:-cut]) is None
    assert keys.parse(text[cut:]) is None
    assert keys.parse(text + "x" * cut) is None


def test_the_checksum_covers_the_prefix() -> None:
    text = keys.issue(AGENT_PREFIX).text
    assert keys.parse(text.replace("usp_", "ust_")) is None


@given(st.text(max_size=80), st.text(max_size=80))
def test_a_hash_matches_its_own_text_only(one: str, other: str) -> None:
    stored = PEPPERS.hash(one)
    assert PEPPERS.matches(one, stored, "p2")
    assert PEPPERS.matches(other, stored, "p2") == (one == other)
    assert not PEPPERS.matches(one, stored, "p1")
    assert not PEPPERS.matches(one, stored, "p9")


@given(st.integers(1, 42))
def test_credentials_that_share_a_part_do_not_share_a_hash(shared: int) -> None:
    one, two = (keys.issue(AGENT_PREFIX).text for _ in range(2))
    for mixed in (one[:shared] + two[shared:], one[:-shared] + two[-shared:]):
        assert PEPPERS.matches(mixed, PEPPERS.hash(one), "p2") == (mixed == one)


def test_a_pepper_ring_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "pepper.json"
    path.write_text(keys.new_pepper_document())
    ring = PepperRing.load(path)
    assert (ring.active, len(ring.peppers["p1"])) == ("p1", 32)
    assert ring.peppers["p1"].hex() not in repr(ring)
    path.write_text(json.dumps({"active": "p2", "peppers": {"p1": "00"}}))
    with pytest.raises(ValueError, match="active pepper is missing"):
        PepperRing.load(path)


def test_a_credential_is_a_value() -> None:
    assert Credential("usp", "a", "t") == Credential("usp", "a", "t")
