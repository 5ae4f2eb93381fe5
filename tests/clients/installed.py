"""Other people's clients, installed exactly as their lock files say, beside the checkout.

Each environment is a directory of ``.clients`` named after its lock file's checksum: one
that is there is complete, and nobody installs it twice, not even two at once.
``python -m tests.clients.installed`` installs them all, and says which it cannot.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
CACHE: Final = HERE.parents[1] / ".clients"
NODES: Final = ("node", "node_tracing")
PYTHONS: Final = ("openai2", "openai3", "graphs", "tracing", "s3")
MODULES: Final = ("tlog",)
_SECONDS: Final = 900


class NotInstallable(Exception):
    """Raised when this machine cannot have an environment; says why."""


def python_with(name: str) -> Path:
    """Return an interpreter that has the packages of one lock file. Raises: NotInstallable."""
    lock = HERE / "python" / f"{name}.txt"

    def install(place: Path) -> None:
        # Installed as the service itself is: what a machine is told about packages, pip was told.
        _run([sys.executable, "-m", "venv", str(place)])
        pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-input"]
        options = ["--disable-pip-version-check", "--require-hashes", "--compile"]
        _run([*pip, *options, "-r", str(lock)])

    return _installed(name, lock, install) / "bin" / "python"


def modules_of(name: str) -> Path:
    """Return a directory with the packages of one lock file, for this interpreter's path.

    For a library of pure Python that needs nothing we lack, whatever version of Python it
    says it was made for. Raises: NotInstallable.
    """
    lock = HERE / "python" / f"{name}.txt"

    def install(place: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--no-deps"]
        options = ["--disable-pip-version-check", "--require-hashes", "--ignore-requires-python"]
        _run([*pip, *options, "--target", str(place), "-r", str(lock)])

    return _installed(name, lock, install)


def node(kind: str = "node") -> Path:
    """Return a directory with ``node_modules`` as locked. Raises: NotInstallable."""
    lock = HERE / kind / "package-lock.json"

    def install(place: Path) -> None:
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise NotInstallable("there is no npm on this machine")
        place.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / kind / name, place / name)
        options = ["--silent", "--no-fund", "--no-audit", "--ignore-scripts"]
        _run([npm, "ci", *options, "--prefix", str(place)], place)

    return _installed(kind, lock, install)


def _installed(name: str, lock: Path, install: Callable[[Path], None]) -> Path:
    place = CACHE / f"{name}-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with _alone(CACHE / f"{name}.lock"):
        if not place.is_dir():
            _say(f"installing {name}; this takes a moment")
            started = time.monotonic()
            for old in CACHE.glob(f"{name}-*"):
                shutil.rmtree(old)
            making = CACHE / f"{name}-making"
            install(making)
            making.rename(place)
            _say(f"{name} installed in {time.monotonic() - started:.0f} s")
    return place


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str], cwd: Path = HERE) -> None:
    known = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    try:
        done = subprocess.run(
            command, cwd=cwd, env=known, capture_output=True, text=True,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise NotInstallable(f"{Path(command[0]).name} took longer than {_SECONDS} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise NotInstallable(f"{Path(command[0]).name} could not install: {lines[-1][:200]}")


def _say(text: str) -> None:
    sys.stderr.write(f"  clients      {text}\n")


def main() -> int:
    """Install everything; a failure is for the tests to judge, and is said here."""
    wanted: dict[str, Callable[[], Path]] = {
        **{name: partial(python_with, name) for name in PYTHONS},
        **{name: partial(modules_of, name) for name in MODULES},
        **{name: partial(node, name) for name in NODES},
    }
    for install in wanted.values():
        try:
            install()
        except NotInstallable as reason:
            sys.stderr.write(f"!! {reason}: THE TESTS OF CLIENTS THAT NEED IT CANNOT RUN.\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
