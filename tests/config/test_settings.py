from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from django.conf import settings

from config.places import BASE_DIR

_READ = re.compile(
    r"""env\.(?:text|boolean|integer|port|listing|choices|path|url|secret)\(\s*["']([A-Z_]+)["']"""
)


def test_every_variable_has_a_row_in_the_documentation() -> None:
    read = {
        name
        for package in ("config", "routing", "credentials", "policy", "registry", "fleet")
        for file in (BASE_DIR / package).rglob("*.py")
        for name in _READ.findall(file.read_text())
    }
    rows = set(re.findall(r"^\| `([A-Z_]+)`", (BASE_DIR / "docs/settings.md").read_text(), re.M))

    assert {"PORT", "DATABASE_URL", "UNSPRAWL_DEBUG"} <= read
    assert read - rows == set()


def _check(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=BASE_DIR,
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings"} | environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_all_problems_are_told_together_and_no_secret_is_repeated(tmp_path: Path) -> None:
    said = _check(
        "-c", "import config.settings",
        UNSPRAWL_DATA_DIR=str(tmp_path), PORT="x", UNSPRAWL_SECRET_KEY="tooshort",
        UNSPRAWL_LOG_LEVEL="loud", DATABASE_URL="nonsense hunter2",
    ).stderr  # fmt: skip

    for name in ("PORT", "UNSPRAWL_SECRET_KEY", "UNSPRAWL_LOG_LEVEL", "DATABASE_URL"):
        assert name in said
    assert "tooshort" not in said
    assert "hunter2" not in said


def test_web_does_not_start_without_a_secret_key(tmp_path: Path) -> None:
    said = _check("-c", "import config.asgi", UNSPRAWL_DATA_DIR=str(tmp_path))

    assert said.returncode != 0
    assert "SECRET_KEY" in said.stderr


def test_cookies_follow_the_public_address(tmp_path: Path) -> None:
    ask = (
        "from config import settings as s; print(s.SESSION_COOKIE_SECURE, s.CSRF_COOKIE_SECURE,"
        " s.SECURE_HSTS_SECONDS > 0, s.SESSION_COOKIE_NAME, s.DEBUG)"
    )
    plain = _check("-c", ask, UNSPRAWL_DATA_DIR=str(tmp_path))
    tls = _check(
        "-c", ask, UNSPRAWL_DATA_DIR=str(tmp_path), UNSPRAWL_PUBLIC_URL="https://agents.example"
    )

    assert plain.stdout.split() == ["False", "False", "False", "unsprawl", "False"]
    assert tls.stdout.split() == ["True", "True", "True", "__Host-unsprawl", "False"]


def test_rest_is_closed_unless_a_view_opens_it() -> None:
    assert settings.REST_FRAMEWORK["DEFAULT_PERMISSION_CLASSES"] == [
        "rest_framework.permissions.IsAuthenticated"
    ]
