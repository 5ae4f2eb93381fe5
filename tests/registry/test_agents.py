from __future__ import annotations

import pytest

from registry.actions.agents import register_agent
from registry.manifest import manifest_of
from tests.factories import Cast, actor, make_manifest


def test_a_registered_agent_is_a_draft_of_its_owner(cast: Cast) -> None:
    done = register_agent(manifest_of(make_manifest()), actor=actor(cast.alice), source="api")
    assert (done.agent.stage, done.agent.owner, done.created) == ("draft", cast.alice, True)
