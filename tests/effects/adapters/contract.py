"""What every adapter must keep. Subclass `AdapterContract` and give it a `case`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from effects.adapters.adapter import Adapter, Ending, Lent, Place, Sent, Work
from effects.adapters.errors import ArgumentsRefused, SettingsInvalid

KEY = "0190c0de-1111-8222-8333-444455556666"
OTHER_KEY = "0190c0de-1111-8222-8333-444455557777"
HIDDEN = "hunter2-" + "x" * 24


@dataclass
class Case:
    """An adapter before a real system of its kind."""

    adapter: Adapter
    place: Place
    work: Work
    arguments: dict[str, Any]
    needed: str  # an argument that the template cannot do without
    effects: Callable[[], int]  # how often it was done there
    gone: Place  # a system that nobody runs
    refuse: Callable[[], None]  # from now on it says no
    cut: Callable[[], None]  # from now on it does it and breaks off before it answers
    idempotency: str = "none"
    lent: Lent = field(default_factory=Lent)
    look_work: Work | None = None

    def send(self, key: str = KEY, place: Place | None = None) -> Sent:
        place = place or self.place
        plan = self.adapter.plan(place, self.work, self.arguments, key)
        return self.adapter.send(place, plan, self.lent, key=key, fence=1)

    def look_up(self, key: str = KEY) -> Sent:
        work = self.look_work or self.work
        return self.adapter.look_up(self.place, work, self.arguments, self.lent, key=key)


class AdapterContract:
    """The promises of ``effects.adapters.adapter``, tried on one adapter."""

    @pytest.fixture
    def case(self) -> Case:
        raise NotImplementedError

    def test_it_takes_its_own_settings(self, case: Case) -> None:
        case.adapter.check_place(case.place)
        case.adapter.check_work(case.place, case.work)

    def test_settings_that_nobody_would_read_are_refused_by_name(self, case: Case) -> None:
        strange = replace(case.place, settings={**case.place.settings, "shoe_size": 42})
        with pytest.raises(SettingsInvalid) as refused:
            case.adapter.check_place(strange)
        assert "shoe_size" in str(refused.value.facts["field"])
        work = replace(case.work, template={**case.work.template, "shoe_size": 42})
        with pytest.raises(SettingsInvalid) as refused:
            case.adapter.check_work(case.place, work)
        assert "shoe_size" in str(refused.value.facts["field"])

    def test_a_plan_is_the_same_each_time_and_touches_nothing(self, case: Case) -> None:
        plan = case.adapter.plan(case.gone, case.work, case.arguments, KEY)
        again = case.adapter.plan(case.gone, case.work, dict(case.arguments), KEY)
        assert plan == again
        assert plan.digest == again.digest
        assert case.effects() == 0

    def test_a_plan_differs_with_one_argument(self, case: Case) -> None:
        plan = case.adapter.plan(case.place, case.work, case.arguments, KEY)
        for name, value in case.arguments.items():
            other = case.arguments | {name: _different(value)}
            assert case.adapter.plan(case.place, case.work, other, KEY).digest != plan.digest, name

    def test_a_missing_argument_is_refused_before_anything_is_sent(self, case: Case) -> None:
        less = {name: value for name, value in case.arguments.items() if name != case.needed}
        with pytest.raises(ArgumentsRefused):
            case.adapter.plan(case.place, case.work, less, KEY)
        assert case.effects() == 0

    def test_what_is_lent_is_in_no_plan_and_in_no_answer(self, case: Case) -> None:
        plan = case.adapter.plan(case.place, case.work, case.arguments, KEY)
        sent = case.send()
        seen = f"{plan!r} {sent!r} {case.lent!r} {case.adapter!r}"
        for hidden in [*case.lent.headers.values(), case.lent.password]:
            assert not hidden or hidden not in seen

    def test_it_is_done_once(self, case: Case) -> None:
        sent = case.send()
        assert sent.ending is Ending.DONE
        assert case.effects() == 1

    def test_where_nobody_listens_it_is_surely_not_done(self, case: Case) -> None:
        sent = case.send(place=case.gone)
        assert sent.ending is Ending.NOT_DONE
        assert sent.retry_after_seconds is not None
        assert case.effects() == 0

    def test_a_refusal_is_surely_not_done(self, case: Case) -> None:
        case.refuse()
        assert case.send().ending is Ending.NOT_DONE
        assert case.effects() == 0

    def test_an_answer_that_is_cut_off_is_not_known(self, case: Case) -> None:
        case.cut()
        assert case.send().ending is Ending.UNKNOWN
        assert case.effects() == 1

    def test_what_it_promises_of_a_second_sending_holds(self, case: Case) -> None:
        assert case.send().ending is Ending.DONE
        if case.idempotency == "native":
            assert case.send().ending is Ending.DONE
            assert case.effects() == 1
        elif case.idempotency == "lookup":
            assert case.look_up().ending is Ending.DONE
            assert case.look_up(OTHER_KEY).ending is Ending.NOT_DONE
            assert case.effects() == 1
        else:
            assert case.look_up().ending is Ending.UNKNOWN


def _different(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, Mapping):
        return {name: _different(below) for name, below in value.items()}
    if isinstance(value, list):
        return [_different(below) for below in value]
    return f"x{value}"
