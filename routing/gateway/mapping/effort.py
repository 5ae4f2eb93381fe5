"""How hard a model should think: OpenAI's reasoning_effort, Anthropic's effort and thinking.

Owns which models take a budget of tokens instead. The list is closed: models since Claude
Opus 4.6 and Sonnet 4.6 take an effort. Source: platform.claude.com, extended thinking and
effort, as any-llm-sdk 1.40.2 reads them too.
"""

from __future__ import annotations

from typing import Any, Final

from routing.gateway.mapping.losses import Losses, refusal

_EFFORTS: Final = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}
_BUDGETS: Final = {
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 24576,
    "xhigh": 32768,
    "max": 32768,
}
_LEAST_BUDGET: Final = 1024
_TAKE_BUDGETS: Final = (
    "claude-3",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-5",
    "claude-opus-4-2025",
    "claude-opus-4@",
    "claude-sonnet-4-0",
    "claude-sonnet-4-5",
    "claude-sonnet-4-2025",
    "claude-sonnet-4@",
    "claude-haiku-4-5",
)


def takes_budget(model: str) -> bool:
    """Tell whether a model takes a budget of tokens to think with, and no effort."""
    return model.lower().rpartition("anthropic.")[2].startswith(_TAKE_BUDGETS)


def thinking_for_messages(
    effort: Any, model: str, most: int, losses: Losses, *, in_tool_loop: bool
) -> dict[str, Any]:
    """Return the members that ask for an effort."""
    if effort == "none":
        return {"thinking": {"type": "disabled"}}
    if not isinstance(effort, str) or effort not in _EFFORTS:
        raise refusal("reasoning_effort", f"must be none, {', '.join(_EFFORTS)}")
    if not takes_budget(model):
        return {
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": _EFFORTS[effort]},
        }
    if in_tool_loop:
        # These models want their own thoughts of the turn back, which chat cannot carry.
        losses.drop("reasoning_effort")
        return {}
    budget = min(_BUDGETS[effort], most - _LEAST_BUDGET)
    if budget < _LEAST_BUDGET:
        raise refusal("reasoning_effort", f"needs max_tokens of {2 * _LEAST_BUDGET} or more")
    losses.change(f"reasoning_effort: thinking.budget_tokens={budget}")
    return {"thinking": {"type": "enabled", "budget_tokens": budget}}


def effort_for_chat(thinking: Any, effort: Any, losses: Losses) -> str | None:
    """Return what thinking and effort ask for in OpenAI's word; None when it is nothing."""
    kind = None
    if thinking is not None:
        known = ("type", "budget_tokens")
        kind = losses.read(thinking, "thinking", known, hints=("display",)).get("type")
    if kind == "disabled":
        return "none"
    if effort is not None:
        if not isinstance(effort, str) or effort not in _EFFORTS:
            raise refusal("output_config.effort", f"must be one of {', '.join(_EFFORTS)}")
        return str(effort)
    match kind:
        case None:
            return None
        case "enabled":
            return _nearest(thinking.get("budget_tokens"), losses)
        case "adaptive":
            losses.hint("thinking")
            return None
        case _:
            raise refusal("thinking.type", f"{kind!r} has no counterpart in the target's dialect")


def _nearest(budget: Any, losses: Losses) -> str:
    if type(budget) is not int:
        raise refusal("thinking.budget_tokens", "must be a whole number")
    found = next((name for name, most in _BUDGETS.items() if budget <= most), "high")
    found = "high" if found in ("xhigh", "max") else found
    losses.change(f"thinking.budget_tokens: reasoning_effort={found}")
    return found
