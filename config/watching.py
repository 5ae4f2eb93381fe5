"""The public keys of the witnesses, for those who only show them."""

from __future__ import annotations

from pathlib import Path

from config.env import Env


def witness_keys(env: Env, keys_dir: Path) -> list[str]:
    """Return them as they are written; without any, the one of the witness beside us."""
    named = env.listing("UNSPRAWL_WITNESS_KEY")
    if named:
        return named
    try:
        return [(keys_dir / "witness.pub").read_text(encoding="utf-8").strip()]
    except (OSError, UnicodeDecodeError):
        return []
