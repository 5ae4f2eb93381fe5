from __future__ import annotations

from pathlib import Path

import pytest

from config.env import Env
from config.watched import trust_once
from config.witnesses import witnesses_from
from ledger.sequencing.remote import RemoteWitnesses
from ledger.sequencing.witnesses import NoWitnesses
from ledger.transparency.notes import COSIGNATURE_V1, ED25519, VerifierKey

KEY = str(VerifierKey("w.example", COSIGNATURE_V1, bytes(range(32))))
OTHER = str(VerifierKey("v.example", COSIGNATURE_V1, bytes(32)))


def read(environ: dict[str, str]) -> tuple[object, list[str]]:
    env = Env({"UNSPRAWL_KEYS_DIR": "/nonexistent", **environ})
    return witnesses_from(env), env.problems


def test_without_an_address_nobody_watches() -> None:
    found, problems = read({})
    assert isinstance(found, NoWitnesses)
    assert problems == []


def test_several_witnesses_are_named_with_their_keys_in_one_order() -> None:
    found, problems = read(
        {
            "UNSPRAWL_WITNESS_URL": "https://w.example/x/, http://v.example",
            "UNSPRAWL_WITNESS_KEY": f"{KEY}, {OTHER}",
        }
    )
    assert problems == []
    assert isinstance(found, RemoteWitnesses)
    assert [(one.url, one.key.name) for one in found.witnesses] == [
        ("https://w.example/x", "w.example"),
        ("http://v.example", "v.example"),
    ]


def test_the_key_beside_the_others_is_the_own_witnesses(tmp_path: Path) -> None:
    (tmp_path / "witness.pub").write_text(KEY + "\n")
    found, problems = read(
        {"UNSPRAWL_KEYS_DIR": str(tmp_path), "UNSPRAWL_WITNESS_URL": "http://127.0.0.1:1"}
    )
    assert problems == []
    assert isinstance(found, RemoteWitnesses)


@pytest.mark.parametrize(
    ("urls", "keys", "problem"),
    [
        ("http://w.example", "", "as many"),
        ("", KEY, "as many"),
        ("w.example", KEY, "http or https"),
        ("http://w.example", "nonsense", "a key is written"),
        ("http://w.example", str(VerifierKey("w", ED25519, bytes(32))), "cosignature/v1"),
    ],
)
def test_what_is_no_address_or_no_key_is_a_problem(urls: str, keys: str, problem: str) -> None:
    _, problems = read({"UNSPRAWL_WITNESS_URL": urls, "UNSPRAWL_WITNESS_KEY": keys})
    assert any(problem in said for said in problems), problems


def test_the_own_witness_is_trusted_once(tmp_path: Path) -> None:
    directory, keys = tmp_path / "witness", tmp_path / "keys"
    directory.mkdir()
    keys.mkdir()
    assert "does not start" in trust_once(directory, keys)
    (directory / "witness.pub").write_text(KEY + "\n")
    assert trust_once(directory, keys) == "running, trusted from now on"
    assert trust_once(directory, keys) == "running"
    (directory / "witness.pub").write_text(OTHER + "\n")
    assert "UNDER ANOTHER KEY" in trust_once(directory, keys)
    assert (keys / "witness.pub").read_text().strip() == KEY
