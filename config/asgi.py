"""The web process: Django under ASGI, with the collected static files in front of it.

Owns what must hold before the first request: a secret key, a database address, and no
private ring but the ones this process was told it may open.
"""

from __future__ import annotations

import os
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
# Requests run in threads of their own and share connections through a pool.
os.environ.setdefault("UNSPRAWL_DATABASE_POOL", "16")
os.environ.setdefault("UNSPRAWL_STATEMENT_TIMEOUT_MS", "15000")

from django.conf import settings
from django.core.asgi import get_asgi_application
from servestatic import ServeStaticASGI

django_application = get_asgi_application()
assert settings.SECRET_KEY  # noqa: S101  raises ImproperlyConfigured when there is none

from effects.mcp.door import MCPDoor  # noqa: E402  it knows models, which are ready only now

application = ServeStaticASGI(
    # Agents that speak MCP; its SDK is loaded when the first of them does.
    MCPDoor(cast("Any", django_application)),
    root=str(settings.STATIC_ROOT) if settings.STATIC_ROOT.is_dir() else None,
    prefix="static",
    allow_all_origins=False,
    # Names that carry the hash of their content never change their content.
    immutable_file_test=r"^.+\.[0-9a-f]{12}\.[^/]+$",
    add_headers_function=lambda headers, _path, _url: headers.add_header(
        "X-Content-Type-Options", "nosniff"
    ),
)
