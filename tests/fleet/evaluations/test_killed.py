"""kill -9 while an evaluation asks and compares: it goes on, and asks nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from django.conf import settings as django_settings

from config.places import BASE_DIR
from fleet.evaluations.actions.beginning import begin_evaluation
from fleet.evaluations.actions.ending import carry_out
from fleet.evaluations.models import Arm, Asking
from ledger.models import Entry
from registry.actors import Actor
from tests.fleet.evaluations.scene import WORKER, Scene, question
from tests.transactions import TO_BE_KILLED, wait_for_the_killed

pytestmark = [pytest.mark.django_db(transaction=True)]
# It dies after some answers came back, before they are noted; and in the middle of comparing.
PROGRAM = """
import os, signal, sys
import django
django.setup()
from fleet.evaluations.actions import asking, comparing, ending
from registry.actors import Actor
holder, name, count = {
    "asking": (asking, "_note", 5), "comparing": (comparing, "_put_down", 7),
}[sys.argv[1]]
step, calls = getattr(holder, name), []
def dying(*args, **kwargs):
    calls.append(1)
    if len(calls) == count:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*args, **kwargs)
setattr(holder, name, dying)
ending.carry_out_waiting(actor=Actor.system("evaluation"))
"""


def die(step: str, address: str) -> int:
    known = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": address,
        "UNSPRAWL_DATA_DIR": str(django_settings.DATA_DIR),
        "UNSPRAWL_KEYS_DIR": str(django_settings.KEYS_DIR),
        "UNSPRAWL_GATEWAY_INTERNAL_URL": django_settings.GATEWAY_INTERNAL_URL,
        "UNSPRAWL_SECRET_KEY": "x" * 50,
        "UNSPRAWL_OPENS": "tool,payload",
        **TO_BE_KILLED,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, step],
        cwd=BASE_DIR,
        env=known,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode < 0, done.stdout[-2000:] + done.stderr[-2000:]
    wait_for_the_killed()
    return done.returncode


def test_a_killed_worker_loses_nothing_and_asks_nothing_twice(
    scene: Scene, gateway: Any, serving: Any, app_address: str
) -> None:
    scene.runs(8, lambda number: (question(f"Say {number}."), f"{number}"))
    vendor = serving(lambda body: body["messages"][0]["content"][4:-1])
    made = begin_evaluation(
        agent=scene.agent,
        baseline=scene.baseline,
        candidates=[scene.model("new-ai", "new-1", vendor.address)],
        actor=Actor.of(scene.cast.alice),
        asks_baseline=False,
    )
    assert die("asking", app_address) == -signal.SIGKILL
    assert Asking.objects.filter(state="answered").count() == 4
    assert len(vendor.seen) > 4
    assert die("comparing", app_address) == -signal.SIGKILL
    made = carry_out(made, actor=WORKER)
    assert made.phase == "over"
    assert len(vendor.seen) == 8
    calls = Entry.objects.filter(kind="intent", stream__in=Arm.objects.values("run_id"))
    asked = Counter(json.loads(bytes(row.header))["facts"]["of"] for row in calls)
    assert set(asked.values()) == {1}
    assert Asking.objects.filter(outcome__contains={"text": {"exact": True}}).count() == 8
    assert Entry.objects.filter(verb="evaluation.ended").count() == 1
