#!/usr/bin/env python
"""The operator's door: Django's commands and ours, beside a running service or alone."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Run one command; say how to get a database when it needs one and there is none."""
    # A command loads the application and soon ends: most of what it makes is for its lifetime.
    gc.set_threshold(50_000, 20, 50)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.conf import settings
    from django.core.management import execute_from_command_line
    from django.db.utils import OperationalError

    # Commands are modules, so their names have underscores; people type hyphens.
    sys.argv[1:2] = [
        name if name.startswith("-") else name.replace("-", "_") for name in sys.argv[1:2]
    ]
    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if settings.DATABASE_CONFIGURED:
            raise
        sys.exit(
            "There is no database to talk to: start the service with `make run`, "
            f"or set DATABASE_URL. ({type(error).__name__})"
        )


if __name__ == "__main__":
    main()
