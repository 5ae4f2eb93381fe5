"""Platforms: where a model is served decides when it retires and what it costs.

Owns the names that the catalogue uses and the guess from an address to one of them. The
same weights on two platforms have two clocks, so a platform is never guessed from a
model's name.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Final

DATA: Final = Path(__file__).resolve().parent.parent / "data"

# What other collections call the platforms that we call by the word on the right.
_ALSO_CALLED: Final = {
    "amazon": "bedrock",
    "amazon-bedrock": "bedrock",
    "aws": "bedrock",
    "aws-bedrock": "bedrock",
    "azure-foundry": "azure",
    "azure-openai": "azure",
    "claude-api": "anthropic",
    "claude-platform-aws": "anthropic-aws",
    "cohere-api": "cohere",
    "deepseek-api": "deepseek",
    "fireworks_ai": "fireworks",
    "gemini-api": "gemini",
    "github_copilot": "github-copilot",
    "google": "gemini",
    "google-cloud": "vertex",
    "microsoft": "azure",
    "microsoft-foundry": "azure",
    "mistral-api": "mistral",
    "openai-api": "openai",
    "together_ai": "together",
    "vertex-ai": "vertex",
    "x-ai": "xai",
    "xai-api": "xai",
}

# Where a platform's OpenAI-shaped interface hangs when people give only its host.
_OPENAI_PATHS: Final = {
    "azure": "/openai/v1",
    "bedrock": "/openai/v1",
    "fireworks": "/inference/v1",
    "gemini": "/v1beta/openai",
    "groq": "/openai/v1",
    "openrouter": "/api/v1",
}


def platform_named(word: str) -> str:
    """Return our word for a platform, whichever collection the word comes from."""
    lowered = word.strip().lower()
    return _ALSO_CALLED.get(lowered, lowered)


def platform_called(word: str) -> str:
    """Return the platform that somebody names a vendor after; empty when it is none."""
    named = platform_named(word)
    return named if named in _platforms() else ""


@cache
def _platforms() -> frozenset[str]:
    exact, patterns = _hosts()
    return frozenset({*_ALSO_CALLED.values(), *exact.values(), *(name for _, name in patterns)})


def platform_of(host: str) -> str:
    """Guess the platform that answers at a host; empty when nobody knows."""
    lowered = host.lower().rstrip(".")
    exact, patterns = _hosts()
    if lowered in exact:
        return exact[lowered]
    return next((name for pattern, name in patterns if pattern.fullmatch(lowered)), "")


def usual_path(platform: str, dialect: str) -> str:
    """Return the path up to and including the version, for an address that is only a host."""
    if dialect == "openai":
        return _OPENAI_PATHS.get(platform, "/v1")
    return "/v1"


@cache
def _hosts() -> tuple[dict[str, str], list[tuple[re.Pattern[str], str]]]:
    document = json.loads((DATA / "platform_hosts.json").read_bytes())
    hosts: dict[str, str] = document["hosts"]
    exact = {host: name for host, name in hosts.items() if "*" not in host}
    patterns = [
        (re.compile(re.escape(host).replace(r"\*", r"[a-z0-9.-]+")), name)
        for host, name in hosts.items()
        if "*" in host
    ]
    return exact, patterns
