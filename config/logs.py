"""Log lines: JSON only, one line each, and never a local variable.

Owns the shape of every line of every process of ours. A traceback is rendered as text
without frame locals, because locals hold secrets. Django-free: the gateway logs alike.
"""

from __future__ import annotations

import logging
import logging.config
import re
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# Other people's lines name paths and headers; ours never do. One-time links, agent keys,
# personal tokens, and passwords inside addresses are blacked out wherever they appear.
_SECRETS: Final = re.compile(
    r"(?P<kept>/enter/|\busp_|\bust_|\bsk-|Bearer\s+|://[^\s:/@]*:)(?P<secret>[^\s/@\"']{6,})"
)


def blacked_out(
    _logger: object, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Replace what looks like a secret in every text of a line."""
    for name, value in line.items():
        if isinstance(value, str):
            line[name] = _SECRETS.sub(r"\g<kept>•••", value)
    return line


_shared: list[structlog.types.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_settings(level: str, *, problems: list[str] | None = None) -> dict[str, Any]:
    """A ``dictConfig`` for a process; also points structlog at it."""
    if level not in _LEVELS:
        if problems is not None:
            problems.append(f"UNSPRAWL_LOG_LEVEL must be one of {', '.join(_LEVELS)}.")
        level = "INFO"
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,  # text, without locals
                    blacked_out,
                    structlog.processors.JSONRenderer(ensure_ascii=False),
                ],
                "foreign_pre_chain": _shared,
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "json"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One access line a request is the proxy's business, and paths carry sign-in tokens.
            "uvicorn.access": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},  # `request.answered` says the same
            # Scanners name foreign hosts all day; the answered request is line enough.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": "WARNING", "propagate": True},
        },
    }


def configure_logging(level: str = "INFO") -> None:
    """For processes that have no Django to do it."""
    logging.config.dictConfig(logging_settings(level.upper()))
