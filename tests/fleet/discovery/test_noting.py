"""One thing is one finding: over sources, again and again, whoever comes first."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleet.discovery.actions.deciding import block_finding, dismiss_finding, merge_finding
from fleet.discovery.actions.keeping import KEPT, forget_people
from fleet.discovery.actions.noting import note_sightings
from fleet.discovery.models import Evidence, Finding
from fleet.discovery.queries.naming import repositories_naming
from fleet.discovery.queries.retirements import known_models
from fleet.discovery.scanning.repositories import read_report
from fleet.discovery.signs import Flag, Hint, Sighting
from kernel import clock
from ledger.models import Entry
from registry.actors import Actor
from registry.models import Agent
from routing.models import LifecycleRow
from tests.factories import Cast, actor, make_agent, make_manifest, make_person
from tests.fleet.discovery.corpus import KEYS

pytestmark = pytest.mark.django_db


def sighting(key: str = "key|openai|k1", **over: Any) -> Sighting:
    now = clock.now()
    given: dict[str, Any] = {
        "kind": "vendor_key", "keys": (key,), "title": "OpenAI key nightly", "vendor": "OpenAI",
        "summary": "used", "confidence": 0.9, "seen_from": now, "seen_to": now,
    }  # fmt: skip
    return Sighting(**given | over)


def report(**over: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "format": "unsprawl.repository/1",
        "repository": "https://git.acme.test/fin/expense.git",
        "files": 3,
        "signs": [
            {"kind": "langgraph", "path": "langgraph.json", "confidence": 0.95, "name": "triage"}
        ],
        "models": [
            {"id": "gpt-5", "path": "app.py", "line": 4, "weak": False},
            {"id": "gpt-5-pro", "path": "tests/t.py", "line": 1, "weak": True},
        ],
        "keys": [
            {"kind": "openai-project", "path": "app.py", "line": 2, "fingerprint": "ab" * 32,
             "tail": "xQ"}
        ],
        "people": [{"email": "alice@acme.test", "commits": 9}],
        "owners": [],
    }  # fmt: skip
    return given | over


def ends(model: str, on: date) -> None:
    LifecycleRow.objects.create(
        platform="openai", model_id=model, canonical_id=model, retires_on=on,
        date_precision="exact", status="deprecated", loaded_at=clock.now(),
    )  # fmt: skip


def test_a_key_in_an_inventory_in_usage_and_in_code_is_one_finding(cast: Cast) -> None:
    note_sightings(read_report(report()), source="report", batch="expense")
    note_sightings(
        [sighting(tail="openai:xQ", hints=(Hint("bob@acme.test", "owns the key", 0.9),))],
        source="openai", batch="src_1",
    )  # fmt: skip
    note_sightings([sighting(calls=7, cost_micros=5)], source="openai", batch="sha")

    key = Finding.objects.get(kind="vendor_key")
    assert not Finding.objects.filter(kind="hard_coded_key").exists()
    assert key.sources == ["openai", "report"]
    assert Flag.HARD_CODED in key.flags
    assert (key.calls, key.cost_micros) == (7, 5)
    assert key.likely == cast.bob
    assert [part["part"] for part in key.risk_parts] == ["hard_coded"]


def test_two_keys_that_end_alike_stay_two(cast: Cast) -> None:
    note_sightings(
        [sighting(f"key|openai|{n}", tail="openai:xQ") for n in range(2)],
        source="openai",
        batch="b",
    )
    note_sightings(read_report(report()), source="report", batch="expense")

    assert Finding.objects.filter(kind="hard_coded_key").count() == 1
    assert Finding.objects.filter(kind="vendor_key").count() == 2


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seen=st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 5), st.sampled_from(["a", "b"])), max_size=12
    ),
    times=st.integers(1, 3),
)
def test_importing_again_in_any_order_changes_nothing(
    cast: Cast, seen: list[tuple[int, int, str]], times: int
) -> None:
    Finding.objects.all().delete()
    given_ = [(f"k{one}", f"k{other}", batch) for one, other, batch in seen]
    for round_ in range(times):
        for one, other, batch in given_ if round_ % 2 == 0 else reversed(given_):
            note_sightings([sighting(one, keys=(one, other))], source="openai", batch=batch)

    groups: list[set[str]] = []
    for one, other, _ in given_:
        touched = [group for group in groups if group & {one, other}]
        groups = [group for group in groups if group not in touched]
        groups.append({one, other}.union(*touched))
    assert Finding.objects.count() == len(groups)
    assert Evidence.objects.count() <= 2 * len(groups)


def test_a_repository_breaks_on_the_day_its_first_model_ends(cast: Cast) -> None:
    on = clock.now().date() + timedelta(days=19)
    ends("gpt-5", on)
    ends("gpt-5-pro", on - timedelta(days=5))
    note_sightings(read_report(report(keys=[])), source="report", batch="expense")

    found = Finding.objects.get()
    assert (found.retires_on, found.retiring_model) == (on, "gpt-5")  # a test breaks nothing
    assert found.risk == 30
    assert found.likely == cast.alice
    assert known_models()["gpt-5"] == "gpt-5"
    named = repositories_naming(["GPT-5", "gpt-5-pro"])
    assert [(each.path, each.line, each.is_weak) for each in named] == [
        ("app.py", 4, False), ("tests/t.py", 1, True),
    ]  # fmt: skip
    assert {each.finding for each in named} == {found.public_id}


def test_a_scan_replaces_the_one_before_it(cast: Cast) -> None:
    note_sightings(read_report(report(keys=[])), source="report", batch="expense")
    note_sightings(read_report(report(keys=[], models=[])), source="report", batch="expense")

    assert repositories_naming(["gpt-5"]) == []
    assert Evidence.objects.count() == 1


def test_a_repository_that_a_registered_agent_names_is_no_news(cast: Cast) -> None:
    manifest = make_manifest("expense")
    manifest["metadata"]["annotations"] = {
        "backstage.io/source-location": "url:git@git.acme.test:fin/expense.git"
    }
    agent = make_agent("expense", owner=cast.alice, manifest=manifest)
    noted = note_sightings(read_report(report()), source="report", batch="expense")

    found = Finding.objects.get(kind="repository")
    assert (found.state, found.agent) == ("merged", agent)
    assert noted.known == 1
    assert Entry.objects.filter(verb="finding.merged", agent_id=agent.public_id).exists()
    # A key in it is news all the same.
    assert Finding.objects.get(kind="hard_coded_key").state == "new"


def test_a_name_alone_is_a_guess_with_its_reason(cast: Cast) -> None:
    agent = make_agent("nightly", owner=cast.alice)
    hints = (Hint("ACME\\alice", "signed in to the proxy that saw it", 0.8),)
    note_sightings([sighting(names=("Nightly",), hints=hints)], source="litellm", batch="b")

    found = Finding.objects.get()
    assert (found.state, found.agent, found.resembles) == ("new", None, agent)
    assert found.resembles_reasons[0]["why"] == "nightly has the same name and owner"
    assert found.likely == cast.alice


def test_whoever_has_left_is_named_and_not_proposed(cast: Cast) -> None:
    make_person("jana", deactivated_at=clock.now())
    note_sightings(
        [sighting(hints=(Hint("jana@acme.test", "owns the key at OpenAI", 0.9),))],
        source="openai", batch="b",
    )  # fmt: skip

    found = Finding.objects.get()
    assert found.likely is None
    assert "has left" in found.likely_reasons[0]["why"]


def test_a_dismissed_finding_comes_back_when_the_evidence_differs(cast: Cast) -> None:
    note_sightings([sighting()], source="openai", batch="b")
    dismiss_finding(Finding.objects.get(), actor=actor(cast.sam), reason="A test key.")
    note_sightings([sighting(calls=3)], source="openai", batch="c")
    assert Finding.objects.get().state == "dismissed"

    note_sightings([sighting(flags=frozenset({Flag.ORPHANED}))], source="openai", batch="c")

    assert Finding.objects.get().state == "new"
    assert Entry.objects.filter(verb="finding.reopened").count() == 1


def test_what_is_blocked_and_still_runs_comes_back(cast: Cast) -> None:
    note_sightings([sighting()], source="openai", batch="b")
    block_finding(Finding.objects.get(), actor=actor(cast.sam), reason="Key revoked.")
    note_sightings([sighting()], source="openai", batch="c")
    assert Finding.objects.get().state == "blocked"

    later = clock.now() + timedelta(days=2)
    with clock.held_at(later):
        note_sightings([sighting(seen_to=later)], source="openai", batch="d")

    assert Finding.objects.get().state == "new"


def test_people_are_forgotten_and_the_thing_is_known_still(cast: Cast) -> None:
    mine = sighting("traffic|user|alice|OpenAI", hints=(Hint("alice", "signed in", 0.8),))
    note_sightings([mine], source="squid", batch="b")
    dismiss_finding(Finding.objects.get(), actor=actor(cast.sam), reason="A browser.")
    Finding.objects.update(settled_at=clock.now() - KEPT - timedelta(days=1))

    assert forget_people(actor=Actor.system("test")) == 1

    assert Evidence.objects.get().people == []
    assert forget_people(actor=Actor.system("test")) == 0
    note_sightings([mine], source="squid", batch="c")
    assert Finding.objects.count() == 1
    # A source that is still read names them again, and they are forgotten again.
    assert forget_people(actor=Actor.system("test")) == 1
    assert not Evidence.objects.exclude(people=[]).exists()


def test_what_outlives_the_agent_that_it_belonged_to_comes_back(cast: Cast) -> None:
    note_sightings([sighting()], source="openai", batch="b")
    agent = make_agent("fin-bot", owner=cast.alice, stage="live")
    merge_finding(Finding.objects.get(), agent, actor=actor(cast.sam))
    Agent.objects.filter(pk=agent.pk).update(stage="retired", retired_at=clock.now())
    note_sightings([sighting()], source="openai", batch="c")
    assert Finding.objects.get().state == "merged"

    later = clock.now() + timedelta(days=2)
    with clock.held_at(later):
        note_sightings([sighting(seen_to=later)], source="openai", batch="d")

    assert Finding.objects.get().state == "new"


@pytest.mark.parametrize(
    "broken",
    [None, [], {}, {"format": "unsprawl.repository/1"}, {"format": "x", "repository": "y"}],
)
def test_a_report_that_is_none_is_refused(broken: Any) -> None:
    from fleet.discovery.readers.tally import NotReadable

    with pytest.raises(NotReadable):
        read_report(broken)


_ANY = st.recursive(
    st.none() | st.integers() | st.text(max_size=30) | st.sampled_from([*KEYS.values()]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)


@given(
    name=st.sampled_from(["signs", "models", "keys", "people", "owners", "skipped", "repository"]),
    value=_ANY,
)
def test_whatever_a_report_holds_no_key_comes_out(name: str, value: Any) -> None:
    from fleet.discovery.readers.tally import NotReadable

    try:
        found = read_report(report(**{name: value}))
    except NotReadable:
        return
    told = repr(found)
    assert [key for key in KEYS.values() if key in told] == []


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_find_the_same_thing_once() -> None:
    together = threading.Barrier(2)

    def imports(batch: str) -> None:
        try:
            together.wait(60)
            seen = [sighting(f"k{number}") for number in range(20)]
            note_sightings(seen, source="openai", batch=batch)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as both:
        list(both.map(imports, ["a", "b"]))

    assert Finding.objects.count() == 20
    assert Evidence.objects.count() == 40
