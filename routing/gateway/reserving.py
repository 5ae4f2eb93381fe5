"""Reserving the worst case of an attempt, and what becomes of it.

Owns the bound and the refusals. What is reserved is what the call can cost at most, as far
as a caller's own words and the catalogue say: every byte of the body a token of input, and
all the output it allows. It is held in the commit of the intent and settled in that of the
result; what a vendor bills above it is spent all the same, and closes the wall.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kernel.clock import stamp
from kernel.errors import DomainError
from ledger.entries import Fact
from ledger.holds import Levels, Move, NoRoom, Window
from routing.gateway.body import CallBody
from routing.gateway.budgets import COST, OPEN_CALLS, REQUESTS, TOKENS, Limit
from routing.gateway.errors import BudgetSpent, BudgetUnpriced, CallOverLimit, LimitReached
from routing.gateway.metering import Usage
from routing.gateway.snapshot import Agent, Model, Target

# For a call that names no maximum, on a model whose maximum nobody has entered.
OUTPUT_UNSAID: Final = 32_768
CONTEXT_UNSAID: Final = 200_000
_TOOLS_PROMPT: Final = 1_000  # what vendors add of their own where tools are offered
_FRAME: Final = 64
_NO_TIME: Final = timedelta()
_LARGEST: Final = 10**12  # more is no number of tokens, and none that can be recorded
ANSWERS_UNREAD: Final = 128  # the most that OpenAI's dialect takes for n

# What a body only points to, or lets a vendor fetch, is larger than the body.
_POINTERS: Final = (
    '"image', '"input_image', '"file', '"input_file', '"input_audio', '"document',
    '"previous_response_id"', '"conversation"', '"item_reference"', '"web_search', '"web_fetch',
    '"code_', '"mcp', '"container', '"prompt"',
)  # fmt: skip
# A letter that needs no escape and has one: it may spell any of these.
_DISGUISED: Final = re.compile(r"\\u00(?:[46][1-9a-fA-F]|[57][0-9aA]|5[fF])")
_WORDS: Final = {
    REQUESTS: "requests a minute",
    TOKENS: "tokens a minute",
    OPEN_CALLS: "open calls at once",
}


@dataclass(frozen=True, slots=True)
class WorstCase:
    """The most tokens that a call can use."""

    input_tokens: int
    output_tokens: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def cost_micros(self, model: Model) -> int | None:
        """Return the most it can cost; None when a price is unknown."""
        if model.input_price is None or (model.output_price is None and self.output_tokens):
            return None
        dearest = max(model.input_price, model.cached_input_price or 0)
        total = self.input_tokens * dearest + self.output_tokens * (model.output_price or 0)
        return -(-total // 1_000_000)


@dataclass(frozen=True, slots=True)
class Hold:
    """What one attempt holds, or spends, in one window."""

    limit: Limit
    window: Window
    amount: int

    @property
    def taking(self) -> Move:
        if self.limit.measure == REQUESTS:
            return Move(self.window, spent=self.amount, asks=True)
        return Move(self.window, held=self.amount, asks=True)

    @property
    def is_settled_later(self) -> bool:
        return self.limit.measure != REQUESTS

    def settling(self, usage: Usage, cost: int | None) -> Move:
        """Return what the result does: give back all that was held, spend what was used."""
        match self.limit.measure:
            case "cost" | "tokens" if usage.is_open:
                spent = self.amount
            case "cost":
                # A cost that nobody knows is what was held for it.
                spent = self._bounded(self.amount if cost is None else cost, usage)
            case "tokens":
                spent = self._bounded(usage.input_tokens + usage.output_tokens, usage)
            case _:
                spent = 0
        return Move(self.window, held=-self.amount, spent=spent)

    def _bounded(self, spent: int, usage: Usage) -> int:
        """Keep a guess within what was possible; what a vendor reports is spent as it is."""
        return min(spent, self.amount) if usage.is_estimated else spent

    def __str__(self) -> str:
        return told(self.limit, self.window, self.amount)


@dataclass(frozen=True, slots=True)
class Reserved:
    """What one attempt holds, and the budgets that let it pass without a price."""

    holds: tuple[Hold, ...] = ()
    unpriced: tuple[str, ...] = ()

    @property
    def facts(self) -> dict[str, Fact]:
        """Say in the intent what is held where: whoever concludes it can settle it."""
        facts: dict[str, Fact] = {}
        if held := [str(hold) for hold in self.holds if hold.is_settled_later]:
            facts["reserved"] = held
        if self.unpriced:
            facts["unpriced"] = list(self.unpriced)
        return facts

    def settling(self, usage: Usage, cost: int | None) -> list[Move]:
        """Return the moves of the result."""
        return [hold.settling(usage, cost) for hold in self.holds if hold.is_settled_later]

    def settled_facts(self, usage: Usage, cost: int | None) -> dict[str, Fact]:
        """Say in the result what was spent where."""
        spent = [
            told(hold.limit, hold.window, hold.settling(usage, cost).spent)
            for hold in self.holds
            if hold.limit.measure in (COST, TOKENS)
        ]
        return {"settled": spent} if spent else {}


NOTHING: Final = Reserved()


class Unaffordable(Exception):
    """An attempt that a budget does not let through: which, how it stands, what it asked."""

    def __init__(self, limit: Limit, window: Window, amount: int | None, spent: int = 0) -> None:
        super().__init__(limit.public_id)
        self.limit = limit
        self.window = window
        self.amount = amount  # None: the price is not known
        self.spent = spent
        self.held = 0
        self.cap = limit.cap

    @classmethod
    def of(cls, refusal: NoRoom, holds: Iterable[Hold]) -> Unaffordable:
        """Return why the ledger took nothing, in the words of budgets."""
        hold = next(hold for hold in holds if hold.window == refusal.window)
        made = cls(hold.limit, hold.window, hold.amount, refusal.level.spent)
        made.held, made.cap = refusal.level.held, refusal.cap
        return made

    @property
    def facts(self) -> dict[str, Fact]:
        """Say in the refusal's entry how the budget stood, and what was asked of it."""
        return {
            "budget": self.limit.public_id,
            "measure": self.limit.measure,
            "window": stamp(self.window.starts_at),
            "cap": self.cap,
            "spent": self.spent,
            "held": self.held,
            "asked": self.amount,
        }

    def error(self, agent: Agent, target: Target, now: datetime) -> DomainError:
        """Return the refusal as the agent gets it."""
        limit = self.limit
        whose = _whose(limit, agent, target)
        facts: dict[str, object] = {"budget": limit.public_id}
        ends_at = limit.span(now).ends_at
        if self.amount is None:
            return BudgetUnpriced(
                f"A budget in {limit.currency} holds for {whose}, and the price of"
                f" {target.model.name} in {limit.currency} is not known here: what the call"
                " costs could not be counted. The platform team can enter the price, or let"
                " this budget pass models without one.",
                **facts,
            )
        if limit.measure == COST:
            return self._spent(whose, ends_at, facts)
        words = _WORDS[limit.measure]
        if self.amount > self.cap:
            return CallOverLimit(
                f"This call alone may take {self.amount} {limit.measure}, and {whose} may use"
                f" {self.cap} {words}. Ask for less output, or send less.",
                **facts,
            )
        wait = max(ends_at - now, _NO_TIME).total_seconds() if ends_at is not None else 1.0
        millis = max(int(wait * 1000), 1)
        return LimitReached(
            f"{whose[0].upper()}{whose[1:]} may use {self.cap} {words}, and they are taken.",
            retry_after_seconds=-(-millis // 1000),
            retry_after_ms=millis,
            **facts,
        )

    def _spent(self, whose: str, ends_at: datetime | None, facts: dict[str, object]) -> DomainError:
        limit = self.limit
        left = max(self.cap - self.spent - self.held, 0)
        held = f" ({money(self.held, limit.currency)} of it held by open calls)" * (self.held > 0)
        when = f"; it begins anew at {ends_at:%Y-%m-%dT%H:%M:%SZ}" if ends_at is not None else ""
        return BudgetSpent(
            f"The budget for {whose} is {money(self.cap, limit.currency)} a {limit.period}, and"
            f" {money(left, limit.currency)} is left{held}; this call may cost up to"
            f" {money(self.amount or 0, limit.currency)}{when}. Ask the platform team for"
            " more, or set a lower maximum of output tokens.",
            resets_at=stamp(ends_at) if ends_at is not None else "",
            **facts,
        )


def worst_case(
    body: CallBody, model: Model, *, has_output: bool, maxima: Iterable[str]
) -> WorstCase:
    """Return the most tokens that a call can use on a model."""
    context = model.context_tokens
    given = body.size + _FRAME + (_TOOLS_PROMPT if "tools" in body.spans else 0)
    if any(pointer in body.text for pointer in _POINTERS) or _DISGUISED.search(body.text):
        given = max(given if context is None else 0, context or CONTEXT_UNSAID)
    elif context is not None:
        given = min(given, context)
    if not has_output:
        return WorstCase(given, 0)
    made = _most_output(body, model, maxima) * _answers(body)
    return WorstCase(given, min(made, _LARGEST))


def _most_output(body: CallBody, model: Model, names: Iterable[str]) -> int:
    """Return the largest maximum that the call's own wire knows, and bounds its output."""
    most = model.max_output_tokens or OUTPUT_UNSAID
    said = [text for name in names if (text := _said(body, name)) is not None]
    if not said or not all(map(_is_number, said)):
        return most  # a vendor may take what is no number here, or leave it out
    # To some vendors zero means that there is no maximum.
    return max(map(int, said)) or most


def _answers(body: CallBody) -> int:
    said = _said(body, "n")
    if said is None:
        return 1
    # Vendors that take 3.0, or "3", for a number are not to be had cheaper for it.
    return max(int(said), 1) if _is_number(said) else ANSWERS_UNREAD


def _said(body: CallBody, name: str) -> str | None:
    span = body.spans.get(name)
    text = body.text[span[0] : span[1]] if span is not None else "null"
    return None if text == "null" else text


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 12


def reserve(
    limits: Sequence[Limit],
    worst: Callable[[], WorstCase],
    model: Model,
    levels: Levels,
    now: datetime,
    *,
    is_first: bool,
) -> Reserved:
    """Return what an attempt has to hold. Raises: Unaffordable where that is certain already."""
    holds: list[Hold] = []
    unpriced: list[str] = []
    for limit in limits:
        if limit.measure == REQUESTS and not is_first and not limit.counts_attempts:
            continue
        window = limit.window(now)
        amount = _amount(limit, worst, model)
        if amount is None:
            if not limit.lets_unpriced:
                raise Unaffordable(limit, window, None)
            unpriced.append(limit.public_id)
            continue
        level = levels.get(window)
        # What is spent is spent for this window's time: no look at the database changes that.
        if amount > limit.cap or (level is not None and level.spent + amount > limit.cap):
            raise Unaffordable(limit, window, amount, level.spent if level is not None else 0)
        holds.append(Hold(limit, window, amount))
    return Reserved(tuple(holds), tuple(unpriced))


def _amount(limit: Limit, worst: Callable[[], WorstCase], model: Model) -> int | None:
    match limit.measure:
        case "cost":
            return worst().cost_micros(model) if model.currency == limit.currency else None
        case "tokens":
            return worst().tokens
        case _:
            return 1


def told(limit: Limit, window: Window, amount: int) -> str:
    """Say in an entry what was held or spent where; `read_told` reads it again."""
    return f"{limit.public_id} {stamp(window.starts_at)} {limit.measure} {amount}"


@dataclass(frozen=True, slots=True)
class Told:
    """What an entry says was held."""

    budget: str
    starts_at: datetime
    measure: str
    amount: int


def read_told(text: str) -> Told | None:
    """Read one line of an entry's ``reserved``; None for what is none."""
    match text.split(" "):
        case [budget, starts_at, measure, amount] if amount.isdecimal():
            try:
                return Told(budget, datetime.fromisoformat(starts_at), measure, int(amount))
            except ValueError:
                return None
        case _:
            return None


def money(micros: int, currency: str) -> str:
    """Write an amount for people: cents, and more digits where there is less than a cent."""
    whole, rest = divmod(micros, 1_000_000)
    digits = f"{rest:06d}"
    return f"{whole}.{digits[:2] if rest % 10_000 == 0 else digits} {currency}"


def _whose(limit: Limit, agent: Agent, target: Target) -> str:
    name = {
        "organisation": "everybody",
        "team": f"the team {limit.subject}",
        "agent": f"the agent {agent.name}",
        "route": f"the route {limit.subject}",
        "vendor": f"the vendor {target.vendor.name}",
    }[limit.kind]
    return f"{name} on {limit.model}" if limit.model else name
