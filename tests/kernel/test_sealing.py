from __future__ import annotations

import base64
import json
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel import sealing
from kernel.opening import PrivateRing
from kernel.sealing import (
    CannotOpen,
    PublicRing,
    RingFile,
    RingUnreadable,
    add_ring_key,
    drop_ring_keys,
    ensure_key_rings,
    next_ring_key,
    write_private,
)


@pytest.fixture(scope="module")
def rings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("rings")
    assert ensure_key_rings(made) == [
        "vendor", "tool", "inbound", "payload", "pepper", "django", "subject", "shreds",
    ]  # fmt: skip
    return made


@pytest.fixture
def own(tmp_path: Path) -> Path:
    ensure_key_rings(tmp_path)
    return tmp_path


@settings(max_examples=30)
@given(
    plaintext=st.binary(max_size=200), identity=st.binary(max_size=40), other=st.binary(max_size=40)
)
def test_what_was_sealed_opens_under_its_own_identity_only(
    rings: Path, plaintext: bytes, identity: bytes, other: bytes
) -> None:
    sealed = PublicRing.load(rings, "vendor").seal(plaintext, identity)
    private = PrivateRing.load(rings, "vendor")
    assert private.open(sealed, identity) == plaintext
    if other != identity:
        with pytest.raises(CannotOpen):
            private.open(sealed, other)


@pytest.mark.parametrize("part", ["wrapped_key", "nonce", "ciphertext"])
@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: bytes([raw[0] ^ 1]) + raw[1:],
                                    lambda raw: b"", lambda raw: raw + b"x"])  # fmt: skip
def test_one_changed_bit_opens_nothing(rings: Path, part: str, change: Any) -> None:
    sealed = PublicRing.load(rings, "vendor").seal(b"secret", b"row")
    broken = replace(sealed, **{part: change(getattr(sealed, part))})
    with pytest.raises(CannotOpen) as refused:
        PrivateRing.load(rings, "vendor").open(broken, b"row")
    assert "secret" not in str(refused.value)


def test_a_ring_opens_nothing_of_another_ring_even_with_its_key(own: Path) -> None:
    sealed = PublicRing.load(own, "vendor").seal(b"secret", b"row")
    for half in ("key", "pub"):
        (own / f"tool.{half}.json").write_bytes((own / f"vendor.{half}.json").read_bytes())
    with pytest.raises(CannotOpen):
        PrivateRing.load(own, "tool").open(sealed, b"row")


def test_an_unknown_key_is_said_without_naming_the_content(rings: Path) -> None:
    sealed = PublicRing.load(rings, "vendor").seal(b"secret", b"row")
    with pytest.raises(CannotOpen, match="not held here") as refused:
        PrivateRing.load(rings, "vendor").open(replace(sealed, ring_key_id="k9"), b"row")
    assert refused.value.facts == {"ring": "vendor"}


def test_equal_secrets_are_sealed_unequally(rings: Path) -> None:
    ring = PublicRing.load(rings, "vendor")
    one, two = (ring.seal(b"secret", b"row") for _ in range(2))
    assert one.ciphertext != two.ciphertext
    assert one.wrapped_key != two.wrapped_key


def test_nothing_shows_the_private_half(rings: Path) -> None:
    ring = PrivateRing.load(rings, "vendor")
    stored = json.loads((rings / "vendor.key.json").read_text())["keys"]["k1"]
    assert stored not in repr(ring)
    assert base64.b64decode(stored).hex() not in repr(ring)


def test_key_files_are_for_their_owner(rings: Path) -> None:
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in rings.iterdir()}
    assert {name for name, mode in modes.items() if mode == 0o644} == {
        "vendor.pub.json", "tool.pub.json", "inbound.pub.json", "payload.pub.json",
    }  # fmt: skip
    assert set(modes.values()) == {0o600, 0o644}


def test_making_rings_again_changes_nothing(own: Path) -> None:
    before = {file.name: file.read_bytes() for file in own.iterdir()}
    assert ensure_key_rings(own) == []
    assert {file.name: file.read_bytes() for file in own.iterdir()} == before


def test_a_public_half_that_was_never_written_follows_from_the_private_one(own: Path) -> None:
    sealed = PublicRing.load(own, "vendor").seal(b"x", b"row")
    (own / "vendor.pub.json").unlink()
    assert ensure_key_rings(own) == ["vendor"]
    assert PrivateRing.load(own, "vendor").open(sealed, b"row") == b"x"


def test_a_ring_grows_and_shrinks(own: Path) -> None:
    before = PublicRing.load(own, "vendor").seal(b"x", b"row")
    assert next_ring_key(own, "vendor") == "k2"
    assert add_ring_key(own, "vendor") == "k2"
    assert add_ring_key(own, "vendor", "k2") == "k2"  # safe to repeat, and the same key
    after = PublicRing.load(own, "vendor").seal(b"y", b"row")
    assert after.ring_key_id == "k2"
    private = PrivateRing.load(own, "vendor")
    assert private.open(before, b"row") == b"x"
    moved = private.rewrap(before.ring_key_id, before.wrapped_key, b"row")
    drop_ring_keys(own, "vendor", {"k1", "k2"})
    assert set(PublicRing.load(own, "vendor").keys) == {"k2"}  # the active one stays
    private = PrivateRing.load(own, "vendor")
    assert private.open(after, b"row") == b"y"
    anew = replace(before, ring_key_id=moved[0], wrapped_key=moved[1])
    assert private.open(anew, b"row") == b"x"
    with pytest.raises(CannotOpen):
        private.open(before, b"row")
    assert next_ring_key(own, "vendor") == "k3"


def test_adding_a_key_twice_keeps_the_first(own: Path) -> None:
    add_ring_key(own, "vendor", "k2")
    first = (own / "vendor.key.json").read_text()
    add_ring_key(own, "vendor", "k2")
    assert (own / "vendor.key.json").read_text() == first


def test_a_ring_file_is_read_again_when_it_was_replaced(own: Path) -> None:
    file = RingFile(own, "vendor")
    first = file.current()
    assert file.current() is first
    add_ring_key(own, "vendor")
    assert file.current().active == "k2"
    (own / "vendor.pub.json").unlink()
    with pytest.raises(RingUnreadable, match="gone"):
        file.current()


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", '{"keys": 1}', '{"keys": {"k1": 1}}', '{"keys": {"k1": "AA=="}}',
        '{"keys": {}, "active": "k1"}', '{"keys": {"../k": "' + "A" * 43 + '="}, "active": "../k"}',
    ],
)  # fmt: skip
def test_a_broken_ring_file_is_a_clear_refusal(own: Path, content: str) -> None:
    (own / "vendor.pub.json").write_text(content)
    with pytest.raises(RingUnreadable):
        PublicRing.load(own, "vendor")


def test_a_private_file_is_replaced_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.json"
    write_private(path, "one")

    def fail(descriptor: int) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="disk full"):
            write_private(path, "two")
    assert path.read_text() == "one"
    write_private(path, "three")
    assert path.read_text() == "three"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_rings_are_three() -> None:
    assert sealing.RINGS == ("vendor", "tool", "inbound", "payload")
