"""Which parameters of an agent's calls a model does not take as they are, and what becomes of them.

Matches what the agent declares and what its recorded calls send with what is known of kinds of
vendors (`routing.gateway.profiles`). Where the vendor's profile is set the gateway does it; where
it is not, the call arrives as it was sent, and the vendor refuses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from routing.gateway.profiles.known import BY_NAME, guessed, rules_of
from routing.gateway.profiles.profile import Does, Rule
from routing.models import Model

# What a manifest's settings are called on the wire.
DECLARED: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "topP": "top_p",
    "maxTokens": "max_tokens",
    "seed": "seed",
    "reasoningEffort": "reasoning_effort",
    "responseFormat": "response_format",
    "stop": "stop",
}
# What is looked for in recorded calls: names of the wire, never values.
KNOWN: Final = frozenset(
    {
        "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "seed", "stop",
        "n", "logprobs", "logit_bias", "presence_penalty", "frequency_penalty",
        "response_format", "reasoning_effort", "reasoning", "thinking", "tools", "tool_choice",
        "parallel_tool_calls", "stream", "stream_options", "modalities", "audio", "prediction",
        "store", "metadata", "user", "service_tier", "verbosity", "system",
    }
)  # fmt: skip
_WORDS: Final = {
    Does.DROP: "left out by the gateway",
    Does.RENAME: "renamed by the gateway",
    Does.CLAMP: "brought within bounds by the gateway",
    Does.REFUSE: "refused: the call would mean something else without it",
}


@dataclass(frozen=True, slots=True)
class Breaking:
    """One parameter that a model does not take as it is."""

    name: str
    becomes: str
    is_broken: bool  # calls fail, or mean something else
    seen_in: str
    source: str


def declared_by(manifest: Mapping[str, Any]) -> list[str]:
    """Return the parameters that a manifest's settings stand for, as the wire names them."""
    models = manifest.get("spec", {}).get("models", [])
    said = {name for each in models for name in each.get("settings", {})}
    return sorted(DECLARED[name] for name in said if name in DECLARED)


def breaking_at(
    model: Model, *, declared: Collection[str], sent: Collection[str]
) -> list[Breaking]:
    """Return what of an agent's parameters a model does not take as it is, by name."""
    vendor = model.vendor
    profile = vendor.profile or guessed(vendor.base_url, vendor.dialect)
    known = BY_NAME.get(profile)
    if known is None:
        return []
    found: dict[str, Breaking] = {}
    for rules in rules_of(profile, model.name).values():
        for rule in rules:
            if rule.member in declared or rule.member in sent:
                seen_in = "its recorded calls" if rule.member in sent else "its manifest"
                found[rule.member] = Breaking(
                    rule.member, *_becomes(rule, is_fitted=bool(vendor.profile)), seen_in,
                    known.source,
                )  # fmt: skip
    return [found[name] for name in sorted(found)]


def _becomes(rule: Rule, *, is_fitted: bool) -> tuple[str, bool]:
    if not is_fitted:
        return "rejected by the vendor: choose its kind on the vendor's page", True
    words = _WORDS[rule.does]
    return (f"{words} to {rule.to}" if rule.to else words), rule.does is Does.REFUSE
