"""`python -m bench.portal.web`: the web process as it is, with its requests counted."""

from __future__ import annotations

from config import settings, web

if __name__ == "__main__":
    # The list is read when the application is made, which happens after this.
    settings.MIDDLEWARE.insert(0, "bench.portal.counting.Counting")
    web.main()
