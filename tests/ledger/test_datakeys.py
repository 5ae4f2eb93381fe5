from __future__ import annotations

from pathlib import Path

import pytest

from kernel.opening import PrivateRing
from kernel.sealing import CannotOpen, RingFile, add_ring_key, ensure_key_rings
from ledger import datakeys
from ledger.datakeys import DataKeySource


@pytest.fixture
def rings(tmp_path: Path) -> Path:
    ensure_key_rings(tmp_path)
    return tmp_path


def source(rings: Path, lifetime_seconds: float = 60) -> DataKeySource:
    return DataKeySource(RingFile(rings, "payload").current, lifetime_seconds=lifetime_seconds)


def test_one_key_serves_a_scope_and_class_and_its_row_opens_it(rings: Path) -> None:
    keys = source(rings)
    key, row = keys.key_for("agt_1", "internal")
    assert row is not None
    assert (row.scope, row.data_class, row.ring_key_id) == ("agt_1", "internal", "k1")
    assert row.parameters[:2] == (key.dek_id, "agt_1")
    assert datakeys.INSERT_DATA_KEY.count("%s") == len(row.parameters)
    bound = datakeys.identity(key.dek_id, "agt_1", "internal")
    assert bound == f"ledger.datakey|{key.dek_id}|agt_1|internal".encode()
    ring = PrivateRing.load(rings, "payload")
    assert ring.unwrap(row.ring_key_id, row.wrapped_key, bound) == key.key
    with pytest.raises(CannotOpen):
        ring.unwrap(
            row.ring_key_id, row.wrapped_key, datakeys.identity(key.dek_id, "agt_2", "internal")
        )
    assert keys.key_for("agt_1", "internal")[0] is key
    assert keys.key_for("agt_1", "personal")[0].dek_id != key.dek_id
    assert keys.key_for("agt_2", "internal")[0].dek_id != key.dek_id


def test_the_row_is_handed_out_until_its_insert_is_confirmed(rings: Path) -> None:
    keys = source(rings)
    key, row = keys.key_for("agt_1", "internal")
    assert keys.key_for("agt_1", "internal") == (key, row)
    keys.confirm("dek_unknown")
    assert keys.key_for("agt_1", "internal") == (key, row)
    keys.confirm(key.dek_id)
    assert keys.key_for("agt_1", "internal") == (key, None)


def test_an_unconfirmed_row_follows_a_rotation(rings: Path) -> None:
    keys = source(rings)
    key, before = keys.key_for("agt_1", "internal")
    add_ring_key(rings, "payload")
    again, after = keys.key_for("agt_1", "internal")
    assert before is not None
    assert after is not None
    assert (again.dek_id, before.ring_key_id, after.ring_key_id) == (key.dek_id, "k1", "k2")
    bound = datakeys.identity(key.dek_id, "agt_1", "internal")
    opened = PrivateRing.load(rings, "payload").unwrap("k2", after.wrapped_key, bound)
    assert opened == key.key


def test_keys_are_replaced_when_they_are_old_or_used_up(
    rings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = source(rings, lifetime_seconds=0)
    first, _ = keys.key_for("agt_1", "internal")
    assert keys.key_for("agt_1", "internal")[0].dek_id != first.dek_id
    monkeypatch.setattr(datakeys, "USES", 2)
    keys = source(rings)
    used = [keys.key_for("agt_1", "internal")[0].dek_id for _ in range(5)]
    assert used[0] == used[1] != used[2] == used[3] != used[4]


def test_a_scope_is_forgotten_and_memory_is_bounded(
    rings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datakeys, "KEPT", 3)
    keys = source(rings)
    first, _ = keys.key_for("agt_1", "internal")
    keys.forget("agt_2")
    assert keys.key_for("agt_1", "internal")[0] is first
    keys.forget("agt_1")
    second, _ = keys.key_for("agt_1", "internal")
    assert second.dek_id != first.dek_id
    for number in range(3):
        keys.key_for(f"agt_x{number}", "internal")
    assert keys.key_for("agt_1", "internal")[0].dek_id != second.dek_id


def test_a_key_in_use_does_not_show_itself(rings: Path) -> None:
    key, row = source(rings).key_for("agt_1", "internal")
    assert repr(key) == f"DataKeyInUse({key.dek_id!r}, •••)"
    assert key.key.hex() not in repr(row)
