"""A real LangChain agent, stopped, its process killed, resumed with what people decided.

It runs the lines of the guide, with address and key put in.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from approvals.actions import decide_review
from config.places import BASE_DIR
from effects.actions.carrying_out import carry_out
from effects.models import Interrupt, Proposal
from registry.actors import Actor
from tests.clients.conftest import PROGRAMS, missing
from tests.clients.installed import NotInstallable, python_with
from tests.effects.proposals.story import Story, make_story
from tests.factories import actor

pytestmark = [
    pytest.mark.clients,
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.xdist_group("clients-b"),
]
ASKED = {"customer": "c-17", "note": "Paid."}


@pytest.fixture
def story(transactional_db: None) -> Story:
    return make_story()


class Graph:
    """The program, in processes that come and go over one file of checkpoints."""

    def __init__(self, place: Path, url: str, key: str, mode: str) -> None:
        guide = (BASE_DIR / "docs/guides/langgraph.md").read_text(encoding="utf-8")
        lines = guide.split("```python\n", 2)[1].split("```", 1)[0]
        for said, meant in (
            ("http://127.0.0.1:8000", url), ("usp_…", key), ("my-graph", "crm"),
            ('"wait": 25', '"wait": 2'),
        ):  # fmt: skip
            assert said in lines
            lines = lines.replace(said, meant)
        self.snippet = place / "snippet.py"
        self.snippet.write_text(lines, encoding="utf-8")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(place),
            "CHECKPOINTS": str(place / "graph.sqlite"),
            "MODE": mode,
            "LANGSMITH_TRACING": "false",
        }

    def start(self) -> subprocess.Popen[str]:
        try:
            python = python_with("graphs")
        except NotInstallable as reason:
            missing(reason)
        return subprocess.Popen(
            [str(python), str(PROGRAMS / "graph_asks.py"), str(self.snippet)],
            env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def finish(self) -> dict[str, Any]:
        with self.start() as running:
            try:
                said, wrong = running.communicate(timeout=60)
            finally:
                running.kill()  # a program that waits for ever would be waited for, too
        assert said, wrong[-2000:]
        found: dict[str, Any] = json.loads(said)
        return found


@pytest.mark.parametrize(
    ("mode", "decision", "edited", "done", "heard"),
    [
        ("batched", "approve", None, [ASKED], "noted"),
        ("batched", "approve", {"note": "Paid in full."},
         [ASKED | {"note": "Paid in full."}], "noted"),
        ("batched", "reject", None, [], "Not to this customer."),
        ("per_call", "approve", {"note": "Paid in full."},
         [ASKED | {"note": "Paid in full."}], "noted"),
    ],
    ids=["approved", "edited", "rejected", "edited-per-call"],
)  # fmt: skip
def test_a_graph_whose_process_was_killed_goes_on_as_decided(
    live_server: Any, story: Story, tmp_path: Path, mode: str, decision: str,
    edited: dict[str, Any] | None, done: list[Any], heard: str,
) -> None:  # fmt: skip
    graph = Graph(tmp_path, live_server.url, story.text, mode)
    with graph.start() as first:
        try:
            until = time.monotonic() + 60
            while not Interrupt.objects.exists():
                assert first.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
        finally:
            first.kill()
    made = Proposal.objects.get()
    more: dict[str, Any] = {} if edited is None else {"edited": ASKED | edited}
    decide_review(
        made.review_id, actor=actor(story.approver), decision=decision,
        comment="Not to this customer." if decision == "reject" else "", **more,
    )  # fmt: skip
    carry_out(made.public_id, actor=Actor.system("executor"))  # the worker's look before it goes
    found = graph.finish()
    assert found["done"] == done
    assert heard in found["said"]
    # It was one question, and the answer was taken once.
    assert Proposal.objects.count() == 1
    assert Interrupt.objects.get().taken_by == "invoice-4711"
