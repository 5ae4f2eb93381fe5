"""Rigs that are copies of one, which is made once a session by whoever needs it first.

For tests that want a database of their own and are not about how one is made: copies share
keys, passwords and the cluster's identifier. A test that tells two installations apart, or
where a cluster lies on a disk of its own, makes a `Rig`.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from bench.gateway.rig import PASSWORDS, Rig


class CopiedRig(Rig):
    """A rig whose cluster and keys are copied instead of made."""

    def start(self) -> None:
        self.copy(made_once())


def made_once() -> Path:
    """Return where the one lies that is copied; other workers wait until it is whole."""
    home = Path(os.environ["UNSPRAWL_TEST_HOME"])
    kept = home / "rig"
    with (home / "rig.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (kept / ".whole").exists():
            shutil.rmtree(kept, ignore_errors=True)
            making = home / "rig-in-the-making"
            making.mkdir()
            with Rig(making, fsync=False) as rig:
                rig.postgres.stop()
                kept.mkdir()
                shutil.copytree(rig.keys_dir, kept / "keys")
                shutil.copy2(making / PASSWORDS, kept / PASSWORDS)
                _copy(rig.postgres.data, kept / "cluster")
            (kept / ".whole").touch()
    return kept


def _copy(cluster: Path, to: Path) -> None:
    # With its owner: the server refuses to start on what is not its own.
    subprocess.run(["cp", "-a", cluster, to], check=True)
