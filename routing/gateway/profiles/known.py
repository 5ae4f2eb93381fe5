"""The kinds of vendors that are known, and the source of what is known of each.

Read July 2025 to November 2026. A kind is guessed from a vendor's address when it is
connected and can be chosen otherwise; a vendor without one is sent every call as it came.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from routing.gateway.profiles.profile import Does, Profile, Rule

_CHAT: Final = ("chat",)
_ASKING: Final = ("chat", "responses")
# Models that reason and take no sampling: o1, o3, o4, and gpt-5 but for its chat models.
_REASONING: Final = r"(o[134]|gpt-5(-mini|-nano|-pro|-codex)?)(-20\d\d|-mini|-pro|$)"
_NEWER: Final = r"(o[134]|gpt-[5-9])"  # max_tokens is an error there
_UNSAMPLED: Final = r"claude-(opus-4-[7-9]|[a-z]+-([5-9]|\d\d))"

_OPENAI: Final = (
    Rule("max_tokens", Does.RENAME, _NEWER, to="max_completion_tokens"),
    Rule("temperature", Does.DROP, _REASONING, _ASKING, neutral=(1,)),
    Rule("top_p", Does.DROP, _REASONING, _ASKING, neutral=(1,)),
    Rule("presence_penalty", Does.DROP, _REASONING, neutral=(0,)),
    Rule("frequency_penalty", Does.DROP, _REASONING, neutral=(0,)),
    Rule("logprobs", Does.REFUSE, _REASONING, neutral=(False,)),
    Rule("logit_bias", Does.REFUSE, _REASONING, neutral=({},)),
)


def _drops(*members: str, unknown: bool = True) -> tuple[Rule, ...]:
    return tuple(Rule(member, Does.DROP, unknown=unknown) for member in members)


_HINTS: Final = ("store", "metadata", "service_tier", "prompt_cache_key",
                 "prompt_cache_retention", "safety_identifier", "verbosity")  # fmt: skip

KNOWN: Final = (
    Profile(
        "openai",
        "OpenAI",
        "openai",
        "platform.openai.com, reasoning guide; learn.microsoft.com, Azure reasoning models",
        _OPENAI,
        hosts=r"api\.openai\.com|[a-z-]+\.api\.openai\.com",
    ),
    Profile(
        "azure-v1",
        "Azure OpenAI, v1",
        "openai",
        "learn.microsoft.com, Azure reasoning models: by the name of the deployment",
        _OPENAI,
        hosts=r".+\.openai\.azure\.com|.+\.services\.ai\.azure\.com",
    ),
    Profile(
        "anthropic",
        "Anthropic",
        "anthropic",
        "platform.claude.com, migrating to Opus 4.7 and API version 2026-10-21",
        (
            Rule("temperature", Does.DROP, _UNSAMPLED, ("messages",)),
            Rule("top_p", Does.DROP, _UNSAMPLED, ("messages",)),
            Rule("top_k", Does.DROP, _UNSAMPLED, ("messages",)),
        ),
        hosts=r"api\.anthropic\.com",
    ),
    Profile(
        "anthropic-openai",
        "Anthropic's interface for OpenAI clients",
        "openai",
        "platform.claude.com/docs/en/api/openai-sdk: what is ignored there, and caps",
        (
            Rule("temperature", Does.CLAMP, least=0, most=1),
            Rule("response_format", Does.REFUSE, neutral=({"type": "text"},)),
            Rule("n", Does.REFUSE, neutral=(1,)),
            Rule("logprobs", Does.REFUSE, neutral=(False,)),
            Rule("logit_bias", Does.REFUSE, neutral=({},)),
            Rule("audio", Does.REFUSE),
            Rule("modalities", Does.REFUSE, neutral=(["text"],)),
            Rule("presence_penalty", Does.DROP, neutral=(0,)),
            Rule("frequency_penalty", Does.DROP, neutral=(0,)),
            *_drops("seed", "reasoning_effort", "prediction", "user", *_HINTS, unknown=False),
        ),
        frozenset({"chat"}),
        hosts=r"api\.anthropic\.com",
    ),
    Profile(
        "gemini-openai",
        "Gemini's interface for OpenAI clients",
        "openai",
        "ai.google.dev/gemini-api/docs/openai; github.com/liliMozi/openhanako/issues/394,"
        " Vali-98/ChatterUI/issues/227, ed-donner/agents/issues/45: unknown members are errors",
        (
            Rule("frequency_penalty", Does.REFUSE, neutral=(0,), unknown=True),
            Rule("presence_penalty", Does.REFUSE, neutral=(0,), unknown=True),
            Rule("logit_bias", Does.REFUSE, neutral=({},), unknown=True),
            *_drops("seed", *_HINTS),
        ),
        frozenset({"chat", "embeddings"}),
        hosts=r"generativelanguage\.googleapis\.com",
    ),
    Profile(
        "mistral",
        "Mistral",
        "openai",
        "docs.mistral.ai/api; github.com/editor-code-assistant/eca/issues/231,"
        " openai/openai-agents-python/issues/442, TabbyML/tabby/pull/4082: 422 for the unknown",
        (
            Rule("max_completion_tokens", Does.RENAME, to="max_tokens"),
            Rule("seed", Does.RENAME, to="random_seed"),
            Rule("logprobs", Does.REFUSE, neutral=(False,), unknown=True),
            Rule("logit_bias", Does.REFUSE, neutral=({},), unknown=True),
            *_drops("stream_options", "user", *(name for name in _HINTS if name != "metadata")),
        ),
        frozenset({"chat", "embeddings"}),
        hosts=r"api\.mistral\.ai|codestral\.mistral\.ai",
        reports_unasked=True,
    ),
    Profile(
        "groq",
        "Groq",
        "openai",
        "console.groq.com/docs/openai: logprobs, logit_bias, n above 1 are 400",
        (
            Rule("n", Does.REFUSE, neutral=(1,)),
            Rule("logprobs", Does.REFUSE, neutral=(False,), unknown=True),
            Rule("logit_bias", Does.REFUSE, neutral=({},), unknown=True),
        ),
        frozenset({"chat", "responses"}),
        hosts=r"api\.groq\.com",
    ),
    Profile(
        "bedrock-openai",
        "Amazon Bedrock's interface for OpenAI clients",
        "openai",
        "docs.aws.amazon.com/bedrock, OpenAI-compatible APIs: chat and responses",
        operations=frozenset({"chat", "responses"}),
        hosts=r"bedrock-runtime\..+\.amazonaws\.com|bedrock-mantle\..+\.api\.aws",
    ),
    Profile(
        "ollama",
        "Ollama",
        "openai",
        "docs.ollama.com/api/openai-compatibility: the rest is ignored there, responses stateless",
        (
            Rule("max_completion_tokens", Does.RENAME, to="max_tokens"),
            Rule("n", Does.REFUSE, neutral=(1,)),
            Rule("tool_choice", Does.REFUSE, neutral=("auto",)),
            Rule("parallel_tool_calls", Does.REFUSE, neutral=(True,)),
            Rule("logit_bias", Does.REFUSE, neutral=({},)),
            *_drops("user", "prediction", *_HINTS, unknown=False),
        ),
        frozenset({"chat", "embeddings"}),
        hosts=r"ollama|ollama\..+|.+:11434",
    ),
    Profile(
        "llama.cpp",
        "llama.cpp's server",
        "openai",
        "run: xllamacpp 2026.10, chat, responses and embeddings",
        operations=frozenset({"chat", "responses", "embeddings"}),
    ),
    Profile(
        "vllm",
        "vLLM",
        "openai",
        "docs.vllm.ai, OpenAI-compatible server: takes what OpenAI takes, and more",
        operations=frozenset({"chat", "responses", "embeddings"}),
    ),
)  # fmt: skip
BY_NAME: Final = {profile.name: profile for profile in KNOWN}


def names_for(dialect: str) -> list[str]:
    """Return the kinds of vendors that speak a dialect."""
    return [profile.name for profile in KNOWN if profile.dialect == dialect]


def guessed(address: str, dialect: str) -> str:
    """Guess a vendor's kind from its address; empty when nobody knows."""
    place = urlsplit(address).netloc.lower()
    host = place.rpartition(":")[0] if place[-1:].isdigit() and ":" in place else place
    for profile in KNOWN:
        if profile.dialect == dialect and profile.hosts:
            found = re.compile(profile.hosts).fullmatch
            if found(host) or found(place):
                return profile.name
    return ""


@lru_cache(maxsize=4096)
def rules_of(profile: str, model: str) -> dict[str, tuple[Rule, ...]]:
    """Return what is done to calls of a model at a kind of vendor."""
    known = BY_NAME.get(profile)
    return dict(known.rules_for(model)) if known is not None else {}
