"""``python -m config.gateway_asgi``: the gateway, which never imports Django."""

from __future__ import annotations

import gc
import resource
from pathlib import Path
from typing import Final

import uvicorn

from config.durable import require_durable_database
from config.env import Env
from config.judged_by import judged_by
from config.logs import configure_logging
from config.otel import otlp_from, share_from
from config.places import Places
from kernel.sealing import RINGS
from routing.gateway.open_calls import Patience
from routing.gateway.reporting.pace import A_MINUTE
from routing.runtime import Settings, create_app


def settings_from(env: Env) -> Settings:
    """Read what a gateway is told; problems are collected in the environment."""
    places = Places.from_environ()
    database_url = env.secret("DATABASE_URL") or places.read_runtime().database_url
    if not database_url:
        env.problems.append("DATABASE_URL is missing, and no service runs on this data directory.")
    if "vendor" not in env.choices("UNSPRAWL_OPENS", frozenset(RINGS)):
        env.problems.append("UNSPRAWL_OPENS must name vendor: the gateway opens vendor secrets.")
    directory, opa_url = judged_by(env)
    usual, file = Patience(), env.text("UNSPRAWL_PROTECTION_FILE")
    first_byte, idle = int(usual.first_byte), int(usual.idle)
    return Settings(
        database_url=database_url,
        keys_dir=env.path("UNSPRAWL_KEYS_DIR", places.keys),
        bundle_dir=directory,
        opa_url=opa_url,
        portal_url=env.url(
            "UNSPRAWL_PUBLIC_URL",
            places.read_runtime().web_url or f"http://127.0.0.1:{env.port('PORT', 8000)}",
        ),
        door_bind=env.text("UNSPRAWL_DOOR_BIND", "127.0.0.1"),
        door_port=env.integer("UNSPRAWL_DOOR_PORT", 0, maximum=65535),
        door_host=env.text("UNSPRAWL_DOOR_HOST"),
        reports_a_minute=env.integer("UNSPRAWL_REPORTS_PER_MINUTE", A_MINUTE, minimum=1),
        protection=Path(file).expanduser().absolute() if file else None,
        patience=Patience(
            first_byte=env.integer("UNSPRAWL_FIRST_BYTE_SECONDS", first_byte, minimum=1),
            idle=env.integer("UNSPRAWL_STREAM_IDLE_SECONDS", idle, minimum=1),
        ),
        otlp=otlp_from(env),
        traces_kept=share_from(env),
    )


# An open call is two sockets, and the usual soft limit of 1024 files is 500 calls.
_FILES: Final = 65_536


def _allow_many_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Run until SIGINT or SIGTERM; calls in flight are ended on the record first."""
    env = Env()
    host, port = env.text("UNSPRAWL_BIND", "127.0.0.1"), env.port("GATEWAY_PORT", 8100)
    level = env.text("UNSPRAWL_LOG_LEVEL", "INFO")
    settings = settings_from(env)
    env.check()
    configure_logging(level)
    require_durable_database(settings.database_url)
    # Calls leave next to nothing for the collector, and what lives as long as the process is
    # frozen once it has started: at the usual thresholds looking for garbage is a tenth of a call.
    gc.set_threshold(10_000, 20, 50)
    _allow_many_files()
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=10,
    )


if __name__ == "__main__":
    main()
