"""Duplicates in a fleet: found once, settled once, asked again only when something changed."""

from __future__ import annotations

import json

import pytest
from django.db import transaction
from django.test import Client

from fleet.worth.actions.grouping import find_duplicates
from fleet.worth.actions.sketching import drop_sketches, sketch_prompt
from fleet.worth.finding import alike_pairs, groups_of
from fleet.worth.likeness import THRESHOLD, job_of
from fleet.worth.models import Different, DuplicateGroup, PromptSketch
from fleet.worth.sketches import shingles_of, sketch_of, system_prompt_of
from kernel.refs import Ref
from ledger.models import DataKey
from ledger.retention.shredding import shred
from registry.actors import Actor
from registry.models import Agent
from tests.factories import Cast, make_agent, make_exchange, make_run
from tests.fleet.worth.labelled import read_pairs

pytestmark = pytest.mark.django_db
SYSTEM = Actor.system("test")
PROMPT = " ".join(f"Rule {n}: an invoice over {n} euros goes to desk {n}." for n in range(30))


def look() -> list[DuplicateGroup]:
    find_duplicates(actor=SYSTEM)
    return list(DuplicateGroup.objects.filter(state="open"))


def members(group: DuplicateGroup) -> set[str]:
    return set(group.members.values_list("agent__name", flat=True))


def test_two_agents_with_one_job_are_a_group_with_reasons(alike: list[Agent]) -> None:
    (group,) = look()
    assert members(group) == {"bill-sorter", "rechnungen"}
    pair = group.pairs.get()
    assert pair.score_permille >= 1000 * THRESHOLD
    assert any("invoice" in reason for reason in pair.reasons)
    (again,) = look()
    assert again.pk == group.pk


def test_different_jobs_are_not_asked_about_again_until_one_changes(
    cast: Cast, alike: list[Agent], client: Client
) -> None:
    (group,) = look()
    client.force_login(cast.alice)
    page = f"/worth/duplicates/{group.public_id}/"
    client.post(f"{page}separate/", {"because": " "})
    assert Different.objects.count() == 0
    client.post(f"{page}separate/", {"because": "One is for Germany."})
    assert Different.objects.get().because == "One is for Germany."
    make_agent("newcomer", owner=cast.pat)
    assert look() == []
    alike[1].description = "Ordnet Eingangsrechnungen und Gutschriften einer Kostenstelle zu."
    alike[1].save(update_fields=["description"])
    assert len(look()) == 1


def test_confirming_asks_the_owners_of_the_others_and_can_be_taken_back(
    cast: Cast, alike: list[Agent], client: Client
) -> None:
    (group,) = look()
    client.force_login(cast.bob)
    page = f"/worth/duplicates/{group.public_id}/"
    client.post(f"{page}confirm/", {"survivor": "shift-bot"})
    assert DuplicateGroup.objects.get().state == "open"
    client.post(f"{page}confirm/", {"survivor": "bill-sorter"})
    client.post(f"{page}separate/", {"because": "too late"})
    group.refresh_from_db()
    assert (group.state, group.survivor) == ("confirmed", alike[0])
    assert group.members.get(agent=alike[1]).step == "asked"
    assert Agent.objects.get(pk=alike[1].pk).stage == "live"
    assert "survives" in client.get(page).content.decode()
    assert look() == []
    client.post(f"{page}reopen/", {"because": "It was a mistake."})
    assert len(look()) == 1


def test_mallory_sees_no_group_of_others(cast: Cast, alike: list[Agent], client: Client) -> None:
    (group,) = look()
    client.force_login(cast.mallory)
    page = f"/worth/duplicates/{group.public_id}/"
    assert client.get(page).status_code == 404
    assert client.post(f"{page}separate/", {"because": "so"}).status_code == 404
    assert "Invoice sorter" not in client.get("/worth/duplicates/").content.decode()
    client.force_login(cast.ann)
    assert client.get(page).status_code == 200
    assert client.post(f"{page}separate/", {"because": "so"}).status_code == 403


def test_the_labelled_jobs_are_found_among_all_of_them() -> None:
    jobs = [job for pair in read_pairs() for job in (pair.one, pair.other)]
    pairs = alike_pairs(jobs)
    groups = groups_of(pairs)
    together = {(a, b) for group in groups for a in group for b in group if a < b}
    same = [(pair.one.key, pair.other.key) for pair in read_pairs() if pair.is_same]
    # Many lines tell of one job twice, so groups are larger than pairs; none is lost in a block.
    assert sum(pair in pairs for pair in same) >= 80
    assert sum(pair in together for pair in same) >= 70


def test_prompts_that_share_most_of_their_words_say_so_without_keeping_any() -> None:
    key = b"k"
    one, other = shingles_of(PROMPT), shingles_of(PROMPT + " Be brief, and say please.")
    sketches = [tuple(sketch_of(each, key)) for each in (one, other)]
    jobs = [job_of(n, f"Name {n}", "Does it.", prompt=sketch) for n, sketch in enumerate(sketches)]
    (found,) = alike_pairs(jobs).values()
    assert any(reason.startswith("system prompts") for reason in found.reasons)
    far = sum(a == b for a, b in zip(sketches[0], sketch_of(one, b"other"), strict=True))
    assert far < 5


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "system", "content": "Sort it."}]},
        {"messages": [{"role": "developer", "content": [{"type": "text", "text": "Sort it."}]}]},
        {"system": [{"type": "text", "text": "Sort it."}], "messages": []},
        {"instructions": "Sort it.", "input": "x"},
    ],
)
def test_the_system_prompt_is_found_in_every_dialect(body: dict[str, object]) -> None:
    assert system_prompt_of(body) == "Sort it."


def test_a_sketch_goes_with_the_key_of_what_it_was_made_from(cast: Cast) -> None:
    agent = make_agent("sorter", owner=cast.alice, stage="live")
    sent = json.dumps({"messages": [{"role": "system", "content": PROMPT}]}).encode()
    make_exchange(agent, make_run(agent), sent)
    assert sketch_prompt(agent, actor=SYSTEM)
    sketch = PromptSketch.objects.get()
    assert (len(sketch.sketch), len(sketch.data_keys)) == (64, 1)
    assert drop_sketches(actor=SYSTEM) == 0
    keys = list(DataKey.objects.values_list("dek_id", flat=True))
    with transaction.atomic():
        shred(keys, why="request", subject=Ref("erasure", "ers_1"), actor=SYSTEM.ref)
    assert drop_sketches(actor=SYSTEM) == 1
    assert not sketch_prompt(agent, actor=SYSTEM)
    assert PromptSketch.objects.get().sketch == []
