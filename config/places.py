"""Where the service keeps its state on one machine.

Owns the layout of the data directory and ``runtime.json``, the note in which a running
supervisor says how to reach what it runs. Commands typed beside it read that note, so
they need no variable. Everything in here is readable by the service's own user only.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

BASE_DIR: Final = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Runtime:
    """What a running supervisor has started; empty strings where it runs nothing."""

    database_url: str = ""
    database_owner_url: str = ""
    database_sequencer_url: str = ""
    broker_url: str = ""
    sandbox_url: str = ""
    web_url: str = ""
    gateway_url: str = ""
    witness_url: str = ""
    sockets_dir: str = ""
    # pid and start time of each process by name: a pid alone may have been given to another.
    pids: dict[str, list[int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Runtime(pids={self.pids})"  # the addresses carry passwords


@dataclass(frozen=True)
class Places:
    """One data directory."""

    data: Path

    @classmethod
    def from_environ(cls, environ: Any = os.environ) -> Places:
        chosen = environ.get("UNSPRAWL_DATA_DIR", "").strip()
        return cls(Path(chosen).expanduser().absolute() if chosen else BASE_DIR / ".data")

    @property
    def keys(self) -> Path:
        return self.data / "keys"

    @property
    def shreds(self) -> Path:
        return self.data / "shreds"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def static(self) -> Path:
        return self.data / "static"

    @property
    def postgres(self) -> Path:
        return self.data / "postgres"

    @property
    def valkey(self) -> Path:
        return self.data / "valkey"

    @property
    def witness(self) -> Path:
        return self.data / "witness"

    @property
    def lock(self) -> Path:
        return self.data / "lock"

    @property
    def runtime_file(self) -> Path:
        return self.data / "runtime.json"

    def make(self) -> None:
        """Make the directories; only root's data directory lets another user pass through."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for private in (self.keys, self.logs):
            private.mkdir(mode=0o700, exist_ok=True)
            private.chmod(0o700)

    def read_runtime(self) -> Runtime:
        """What runs now; an empty note when nothing does or the note is unreadable."""
        try:
            written = json.loads(self.runtime_file.read_text(encoding="utf-8"))
            return Runtime(**written)
        except (OSError, ValueError, TypeError):
            return Runtime()

    def write_runtime(self, runtime: Runtime) -> None:
        write_private(self.runtime_file, json.dumps(asdict(runtime), indent=1))

    def forget_runtime(self) -> None:
        self.runtime_file.unlink(missing_ok=True)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)
