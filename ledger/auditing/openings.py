"""How one epoch follows another: the first leaf of each records what was left, and why.

A key that nobody trusts by itself is believed for an epoch whose end a later one records
under a key that is trusted.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

from ledger.auditing.checkpoints import EpochRow
from ledger.auditing.findings import Findings, Found
from ledger.auditing.tree import TreeSeen
from ledger.auditing.trust import Trust
from ledger.entries import Fact

Openings = Mapping[int, Mapping[str, Fact]]


def check_epochs(
    epochs: Sequence[EpochRow],
    trees: Sequence[TreeSeen],
    trust: Trust,
    findings: Findings,
    openings: Openings,
) -> None:
    """See that each epoch is signed by a key that is trusted, and records what it left."""
    sizes = {tree.origin: tree for tree in trees}
    vouched: set[str] = set()
    for epoch, tree in reversed(list(zip(epochs, trees, strict=True))):
        is_trusted = epoch.public_key in trust.keys or epoch.origin in vouched
        if trust.keys and not is_trusted:
            wrong = f"epoch {epoch.number} names a key of the log that nobody outside knows"
            findings.add(Found(wrong, epoch.number, 0, max(2, tree.size)))
        if epoch is epochs[0] or not tree.size:
            continue
        said = openings.get(epoch.number)
        if said is None or not _agrees(epoch, said, sizes):
            wrong = f"epoch {epoch.number} does not begin with the record of what it left"
            findings.add(Found(wrong, epoch.number, 0))
        elif is_trusted and tree.proven:
            vouched.add(str(said["left_origin"]))


def _agrees(epoch: EpochRow, said: Mapping[str, Fact], trees: Mapping[str, TreeSeen]) -> bool:
    key = base64.b64encode(epoch.public_key).decode()
    left = trees.get(str(said.get("left_origin")))
    return (
        (said.get("origin"), said.get("public_key")) == (epoch.origin, key)
        and left is not None
        and left.number < epoch.number
        and said.get("left_size") == left.size
        and (not left.size or said.get("left_root") == left.root)
    )
