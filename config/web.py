"""``python -m config.web``: serve the web process on $UNSPRAWL_BIND:$PORT."""

from __future__ import annotations

import uvicorn

from config.durable import require_durable_database
from config.env import Env
from config.loading import loading


def main() -> None:
    """Run until SIGINT or SIGTERM; requests in flight get a few seconds to end."""
    env = Env()
    host, port = env.text("UNSPRAWL_BIND", "127.0.0.1"), env.port("PORT", 8000)
    env.check()
    require_durable_database()
    with loading():
        from django.urls import get_resolver

        from config.asgi import application

        # With the addresses, which the first request would have to wait for.
        get_resolver().url_patterns  # noqa: B018
    uvicorn.run(
        application,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",  # Django has none
        log_config=None,  # Django's LOGGING is ours
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=8,
    )


if __name__ == "__main__":
    main()
