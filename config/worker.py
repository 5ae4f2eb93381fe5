"""``python -m config.worker``: the Celery worker with its beat."""

from __future__ import annotations

import os
import signal
import warnings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")


def main() -> None:
    """Run until SIGTERM; tasks in flight end first."""
    import django

    from config.durable import require_durable_database
    from config.embedded.privilege import dies_with_parent
    from config.env import Env
    from config.loading import loading

    with loading():
        django.setup()
        from celery.platforms import SecurityWarning
        from celery.signals import beat_embedded_init

        from config.celery import app

    # Only JSON is accepted from the broker, so the warning about root and pickle is moot.
    warnings.simplefilter("ignore", SecurityWarning)
    env = Env()
    concurrency = env.integer("UNSPRAWL_WORKER_CONCURRENCY", 2, minimum=1, maximum=256)
    env.check()
    require_durable_database()
    # A worker that was killed tells its beat nothing, which would ring for ever beside the next.
    ask = dies_with_parent(signal.SIGKILL)
    beat_embedded_init.connect(lambda **_: ask(), weak=False)
    app.worker_main(
        ["--quiet", "worker", "--beat", f"--concurrency={concurrency}", "--without-gossip",
         "--without-mingle", "--hostname=unsprawl@%h"]
    )  # fmt: skip


if __name__ == "__main__":
    main()
