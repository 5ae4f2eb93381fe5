"""What the stories of channels share: a receiver on loopback, a channel to it, a question.

Django is not set up when this is read, so whatever needs it is imported within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from approvals.models import Review
    from tests.approvals.channels.receivers import Receiver
    from tests.factories import Cast


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    from tests.approvals.channels.receivers import receiving

    with receiving() as kept:
        yield kept


@pytest.fixture
def opened(cast: Cast) -> Callable[..., Review]:
    """Open a review: an agent's action unless told otherwise."""
    from tests.approvals.channels.receivers import open_review

    def make(**over: Any) -> Review:
        return open_review(cast, **over)

    return make


@pytest.fixture(autouse=True)
def questions_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask about actions that nobody would carry out: these stories end with the answer."""
    from approvals.ports import _Bindings

    monkeypatch.delitem(_Bindings.matters, "proposal", raising=False)
