"""Whether an operator's own bundle or server judges, read alike for every process. No Django."""

from __future__ import annotations

from pathlib import Path

from config.env import Env


def judged_by(env: Env) -> tuple[Path | None, str]:
    """Return the directory and the server's address; neither, where people's choice judges."""
    directory = env.text("UNSPRAWL_POLICY_DIR")
    return (
        Path(directory).expanduser().absolute() if directory else None,
        env.url("OPA_URL", "http://opa") if env.text("OPA_URL") else "",
    )
