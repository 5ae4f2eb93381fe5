"""``python -m config.prober``: asks agents whether they are there, hundreds at once.

A process of its own: it talks to addresses that agents' owners named, so it opens no ring, and
a hostile answer costs it and nobody else. Any number may run; each takes what is due.
"""

from __future__ import annotations

import asyncio
import os
import signal

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    """Run until SIGINT or SIGTERM; probes under way end first."""
    import django

    from config.durable import require_durable_database
    from config.loading import loading

    with loading():
        django.setup()
        from fleet.health.prober import Prober

    require_durable_database()
    prober = Prober()

    async def run() -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, prober.stop)
        await prober.run()

    asyncio.run(run())


if __name__ == "__main__":
    main()
