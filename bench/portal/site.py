"""One prepared installation with a web process, for the requests of a bench."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.bulk import Bulk
from bench.gateway.rig import ROOT, Rig
from bench.startup.service import free_port, wait_ready
from config.embedded.postgres import DATABASE, SUPERUSER


class Site:
    """A throw-away cluster, prepared as every start prepares it, and its web process."""

    def __init__(self, home: Path, *, fsync: bool = False) -> None:
        home.chmod(0o711)  # the server's own user passes through
        self.rig, self.port = Rig(home, fsync=fsync), free_port()
        self.web: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        rig = self.rig
        rig.bring_up()  # what is missing in it, and in an empty one, is prepared alike
        told = rig.environment(DATABASE_URL=rig.owner, UNSPRAWL_OPENS="")
        with (rig.home / "prepare.log").open("wb") as log:
            subprocess.run(
                [sys.executable, "manage.py", "prepare"],
                cwd=ROOT, env=told, stdout=log, stderr=log, check=True,
            )  # fmt: skip

    def bulk(self) -> Bulk:
        return Bulk(self.rig.postgres.connect(SUPERUSER, DATABASE))

    def serve(self) -> None:
        told = self.rig.environment(
            UNSPRAWL_OPENS="payload", PORT=str(self.port), UNSPRAWL_LOG_LEVEL="WARNING"
        )
        words = self.rig.home / "web.log"
        with words.open("ab") as log:
            self.web = subprocess.Popen(
                [sys.executable, "-X", "utf8", "-m", "bench.portal.web"],
                cwd=ROOT, env=told, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        wait_ready(self.port, self.web, words)

    def sign_in(self, *people: str) -> dict[str, str]:
        """Return the cookie header of each person."""
        told = self.rig.environment(
            DJANGO_SETTINGS_MODULE="config.settings", UNSPRAWL_OPENS="", PORT=str(self.port)
        )
        said = subprocess.run(
            [sys.executable, "-m", "bench.portal.signing_in", *people],
            cwd=ROOT, env=told, stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(said.stdout)
        return {person: f"{found['name']}={key}" for person, key in found["keys"].items()}

    def stop(self) -> None:
        if self.web is not None:
            self.web.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.web.wait(20)
        self.rig.stop()
