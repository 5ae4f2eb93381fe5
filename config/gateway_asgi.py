"""``python -m config.gateway_asgi``: the gateway, which never imports Django."""

from __future__ import annotations

import uvicorn

from config.env import Env
from config.logs import configure_logging


def main() -> None:
    """Run until SIGINT or SIGTERM; calls in flight are ended on the record first."""
    env = Env()
    host, port = env.text("UNSPRAWL_BIND", "127.0.0.1"), env.port("GATEWAY_PORT", 8100)
    level = env.text("UNSPRAWL_LOG_LEVEL", "INFO")
    env.check()
    configure_logging(level)
    uvicorn.run(
        "routing.gateway.app:create_app",
        factory=True,
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
