"""Who a database server runs as, and where it can live so that this user reaches it.

PostgreSQL refuses to run as root. Started by root, it runs as ``nobody``, which needs no
account to be made; the permissions of directories that are not ours are never changed.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1
_LIBC: Final = ctypes.CDLL(None, use_errno=True) if sys.platform.startswith("linux") else None
# A unix socket's path holds 107 bytes; this leaves room for the name of the socket.
_SOCKET_DIRECTORY_LIMIT: Final = 80


@cache
def unprivileged() -> pwd.struct_passwd | None:
    """The user to drop to, or None when this process is not root."""
    return pwd.getpwnam("nobody") if os.geteuid() == 0 else None


def dropped() -> dict[str, Any]:
    """Arguments for `subprocess` that leave root behind; none when there is nothing to leave."""
    user = unprivileged()
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def hand_over(path: Path) -> None:
    """Give a directory, and only it, to the unprivileged user, closed to everybody else."""
    path.mkdir(mode=0o700, exist_ok=True)
    give(path)
    path.chmod(0o700)


def give(path: Path) -> None:
    """Make a file the unprivileged user's."""
    if user := unprivileged():
        os.chown(path, user.pw_uid, user.pw_gid)


def is_reachable(path: Path) -> bool:
    """Whether the user servers run as can go into a directory; asked of the kernel, not guessed."""
    if unprivileged() is None:
        return os.access(path, os.X_OK)
    asked = subprocess.run(  # noqa: S603
        ["/bin/sh", "-c", 'cd "$1"', "sh", str(path)],
        cwd="/",
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **dropped(),
    )
    return asked.returncode == 0


def sockets_directory() -> Path:
    """Make a short, private directory for sockets; only root's is open, to be passed through."""
    for root in (Path("/tmp"), Path(tempfile.gettempdir())):  # noqa: S108  mkdtemp is private
        if os.access(root, os.W_OK | os.X_OK) and len(str(root)) < _SOCKET_DIRECTORY_LIMIT - 20:
            made = Path(tempfile.mkdtemp(prefix="unsprawl-", dir=root))
            made.chmod(0o711 if unprivileged() else 0o700)
            return made
    raise OSError("no writable directory is short enough for a unix socket")


def installed(package: str) -> Path:
    """Where a package of binaries lies; found without running its Python layer."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"{package} is not installed")
    return Path(spec.origin).parent


def reachable_copy(root: Path, parts: list[str], target: Path) -> Path:
    """A directory from which the unprivileged user can run what is installed under ``root``.

    That is ``root`` itself, or ``target`` with a copy of the parts laid out alike: the
    binaries find their libraries by a relative path.
    """
    if is_reachable(root / parts[0]):
        return root
    if not (target / ".complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        for part in parts:
            shutil.copytree(root / part, target / part, symlinks=True)
        for directory in (
            target,
            *(parent for part in parts for parent in (target / part).parents),
        ):
            if directory.is_relative_to(target):
                directory.chmod(0o755)
        (target / ".complete").touch()
    return target


def dies_with_parent(number: int = signal.SIGTERM) -> Callable[[], None]:
    """What a child does first, so that it does not outlive a supervisor that was killed."""
    parent = os.getpid()

    def ask() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # it died before we could ask
            os._exit(1)

    return ask
