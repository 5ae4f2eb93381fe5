from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any, cast

import pytest

from credentials import broker
from credentials.broker import RingKeeper, SealedRow, SecretOpener
from kernel.opening import RingClosed
from kernel.sealing import (
    CannotOpen,
    PublicRing,
    RingUnreadable,
    add_ring_key,
    drop_ring_keys,
    ensure_key_rings,
)

VALUE = "sk-canary-7f3a91c24b5d4e6f"


@pytest.fixture
def rings(tmp_path: Path) -> Path:
    ensure_key_rings(tmp_path)
    return tmp_path


def sealed(rings: Path, public_id: str = "sec_1", holder: str = "vendor:a", version: int = 1,
           value: str = VALUE) -> SealedRow:  # fmt: skip
    bound = broker.identity(public_id, "vendor", holder, version)
    made = PublicRing.load(rings, "vendor").seal(value.encode(), bound)
    return SealedRow(
        public_id, "vendor", holder, version,
        made.ring_key_id, made.wrapped_key, made.nonce, made.ciphertext,
    )  # fmt: skip


def test_the_identity_of_a_row_is_spelt_out() -> None:
    spelt = broker.identity("sec_1", "vendor", "vendor:ven_1", 3)
    assert spelt == b"credentials.secret|sec_1|vendor|vendor:ven_1|3"


def test_a_row_given_as_a_plain_tuple_opens(rings: Path) -> None:
    assert (
        SecretOpener(rings, "vendor").open(SealedRow(*cast("Any", tuple(sealed(rings))))).reveal()
        == VALUE
    )


@pytest.mark.parametrize(
    "change",
    [
        {"public_id": "sec_2"},
        {"holder": "vendor:b"},
        {"version": 2},
        {"ring": "tool"},
        {"ring_key_id": "k9"},
        {"nonce": bytes(12)},
        {"nonce": b""},
        {"wrapped_key": b"x"},
        {"wrapped_key": b""},
        {"ciphertext": bytes(40)},
        {"ciphertext": b""},
    ],
)
def test_a_row_opens_only_as_itself(rings: Path, change: dict[str, Any]) -> None:
    row = sealed(rings)._replace(**change)
    with pytest.raises(CannotOpen) as refused:
        SecretOpener(rings, "vendor").open(row)
    assert VALUE not in repr(refused.value)


@pytest.mark.parametrize("parts", [("nonce", "ciphertext"), ("wrapped_key", "nonce", "ciphertext")])
def test_ciphertexts_swapped_between_rows_open_nowhere(rings: Path, parts: tuple[str, ...]) -> None:
    mine, theirs = sealed(rings), sealed(rings, "sec_2", "vendor:b", value="sk-other")
    swapped = mine._replace(**{part: getattr(theirs, part) for part in parts})
    with pytest.raises(CannotOpen):
        SecretOpener(rings, "vendor").open(swapped)


def test_a_secret_shows_itself_to_nobody_who_does_not_ask(rings: Path) -> None:
    opener = SecretOpener(rings, "vendor")
    secret = opener.open(sealed(rings))
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        repr(opener),
        repr(RingKeeper(rings, "vendor")),
    ]
    assert not any(VALUE in text for text in shown)
    assert repr(opener) == "SecretOpener('vendor', ['k1'])"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_process_started_before_a_rotation_opens_what_was_sealed_after(rings: Path) -> None:
    before = sealed(rings)
    opener = SecretOpener(rings, "vendor")
    add_ring_key(rings, "vendor")
    after = sealed(rings, value="sk-after")
    drop_ring_keys(rings, "vendor", {"k1"})
    assert after.ring_key_id == "k2"
    assert opener.open(after).reveal() == "sk-after"
    assert opener.open(before).reveal() == VALUE  # an older snapshot may still hold it
    with pytest.raises(CannotOpen):
        SecretOpener(rings, "vendor").open(before)


def test_a_process_without_the_private_half_can_put_in_and_not_take_out(rings: Path) -> None:
    (rings / "vendor.key.json").unlink()
    assert sealed(rings).ciphertext
    with pytest.raises(RingUnreadable):
        SecretOpener(rings, "vendor")


def test_a_process_that_was_not_given_the_ring_opens_nothing(
    rings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = sealed(rings)
    for opens in ("", "payload", "tool,payload"):
        monkeypatch.setenv("UNSPRAWL_OPENS", opens)
        assert sealed(rings).ciphertext  # putting in needs nothing
        with pytest.raises(RingClosed, match="may not open the ring vendor"):
            SecretOpener(rings, "vendor")
    monkeypatch.setenv("UNSPRAWL_OPENS", "vendor, tool")
    assert SecretOpener(rings, "vendor").open(row).reveal() == VALUE
    monkeypatch.delenv("UNSPRAWL_OPENS")  # the operator's shell
    assert SecretOpener(rings, "vendor").open(row).reveal() == VALUE


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"keys": 1}', '{"keys": {"k1": "AA=="}}'])
def test_a_broken_ring_file_is_a_clear_refusal(rings: Path, content: str) -> None:
    (rings / "vendor.key.json").write_text(content)
    for kind in (SecretOpener, RingKeeper):
        with pytest.raises(RingUnreadable, match="The key ring vendor"):
            kind(rings, "vendor")


def test_a_keeper_seals_a_key_anew_and_the_ciphertext_stays(rings: Path) -> None:
    row = sealed(rings)
    add_ring_key(rings, "vendor")
    ring_key_id, wrapped = RingKeeper(rings, "vendor").rewrap(
        row.ring_key_id, row.wrapped_key, row.identity
    )
    anew = row._replace(ring_key_id=ring_key_id, wrapped_key=wrapped)
    drop_ring_keys(rings, "vendor", {"k1"})
    assert anew.ring_key_id == "k2"
    assert SecretOpener(rings, "vendor").open(anew).reveal() == VALUE
