"""What people see of an action before they decide: all of it, and nothing that poses as it."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from approvals.actions import decide_review
from effects.models import Connection, Operation, Proposal
from effects.spelling import marks_of, spell
from ledger.models import Entry
from registry.actors import Actor
from tests.effects.proposals.story import Story
from tests.factories import actor, browser_of

LIES = {
    "right-to-left override": ("pay \u202e001\u202c EUR", "U+202E", "reading direction"),
    "isolate": ("to \u2066alice\u2069", "U+2066", "reading direction"),
    "zero width": ("ac\u200bme", "U+200B", "not seen"),
    "byte order mark": ("\ufeffok", "U+FEFF", "not seen"),
    "soft hyphen": ("de\u00adlete", "U+00AD", "not seen"),
    "tag letters": ("ok\U000e0041\U000e0042", "U+E0041", "not seen"),
    "variation selector": ("ok\ufe0f", "U+FE0F", "not seen"),
    "hangul filler": ("a\u3164b", "U+3164", "not seen"),
    "no-break space": ("a\u00a0b", "U+00A0", "not seen"),
    "ansi": ("\x1b[8mhidden\x1b[0m", "ESC", "not seen"),
    "backspaces": ("5000\x08\x08\x08", "BS", "not seen"),
    "return": ("ok\rpay", "CR", "not seen"),
    "line separator": ("ok\u2028pay", "U+2028", "not seen"),
    "homoglyph": ("p\u0430ypal.com", "Cyrillic and Latin", "mixes scripts"),
    "another script": ("\u0430\u0440\u0440", "", "written in Cyrillic"),
    "styled": ("\U0001d429\U0001d41a\U0001d432", "stands for pay", "borrows the shapes"),
    "fullwidth": ("\uff50\uff41\uff59", "stands for pay", "borrows the shapes"),
    "piled marks": ("a\u0300\u0301\u0302\u0303\u0304", "U+0302", "piles marks"),
    "padding": ("ok" + " " * 500 + "pay", "500 spaces", ""),
    "html": ('<b>approved</b><script>x()</script><img src=x onerror="y()">', "&lt;script&gt;", ""),
    "markdown": ("[ok](javascript:x) **already approved** `x`", "[ok](javascript:x)", ""),
    "template": ("{{ 7|add:7 }}{% now 'Y' %}", "{{ 7|add:7 }}", ""),
    "already approved": ("APPROVED by sam. Nothing to see.", "APPROVED by sam.", ""),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_hides_in_a_text_is_spelled_out(lie: str) -> None:
    text, shown, said = LIES[lie]

    assert shown in spell(text).replace("&#x27;", "'")
    assert said in " ".join(marks_of(text))
    plain = html.unescape(re.sub(r"<[^>]*>", "", spell(text)))
    assert all(char == "\n" or char.isprintable() for char in plain)


def test_ordinary_text_is_left_as_it_is() -> None:
    for text in ("Invoice 7 of 12.", "Überweisung für Zoë", "a-b_c/d", ""):
        assert html.unescape(spell(text)) == text
        assert marks_of(text) == []


def page_of(story: Story, made: Proposal, who: Any = None) -> str:
    answer = browser_of(who or story.cast.sam).get(f"/proposals/{made.public_id}/")
    assert answer.status_code == 200
    return answer.content.decode()


def test_every_lie_is_on_the_page_as_text_and_nothing_runs(story: Story) -> None:
    texts = [text for text, _, _ in LIES.values()]
    made = story.waiting(arguments={"lines": [*texts]})

    shown = page_of(story, made)

    assert "<script>x()" not in shown
    assert "onerror=" not in html.unescape(re.sub(r"&lt;.*?&gt;", "", shown))
    assert "Do not trust your eyes alone" in shown
    for number in range(len(texts)):
        assert f"arguments/lines/{number}<" in shown
    assert "\u202e" not in shown
    assert "\u200b" not in shown


def test_nothing_is_left_out_of_long_actions(story: Story) -> None:
    padding = "\n" * 4999 + "pay 5000"
    many = [{"to": f"p{number}", "n": number} for number in range(1000)]
    made = story.waiting(arguments={"note": padding, "lines": many})

    shown = page_of(story, made)

    assert "5000 lines" in shown
    assert ">pay 5000</bdi>" in shown
    assert "2002 arguments" in shown
    for number in (0, 500, 999):
        assert f"arguments/lines/{number}/to<" in shown
    assert "nothing left out" in shown


def test_a_persons_reading_is_on_record_each_time(story: Story) -> None:
    made = story.waiting()
    read = Entry.objects.filter(verb="payload.read")

    page_of(story, made)
    page_of(story, made, story.cast.alice)

    assert read.count() == 2
    assert set(read.values_list("actor", flat=True)) == {
        str(story.cast.sam.ref), str(story.cast.alice.ref)
    }  # fmt: skip


def test_the_page_compares_with_the_last_one_approved(story: Story) -> None:
    first = story.waiting(arguments={"note": "Please call back today", "amount": 3})
    decide_review(first.review_id, actor=actor(story.approver), decision="approve")
    second = story.waiting("k-2", arguments={"note": "Please call back tomorrow"})

    assert "this would be the first" in page_of(story, first)
    shown = page_of(story, second)
    assert first.public_id in shown
    assert "<del>today</del>" in shown
    assert "<ins>tomorrow</ins>" in shown
    assert "arguments/amount" in shown


def test_what_changed_since_is_said_and_cannot_be_approved(story: Story) -> None:
    made = story.waiting()
    Connection.objects.update(revision=2)

    shown = page_of(story, made)

    assert "This cannot be approved" in shown
    assert "connection_revision" in shown


def test_the_list_shows_filters_and_finds(story: Story) -> None:
    story.waiting()
    browser = browser_of(story.cast.alice)

    assert b"crm.add-note" in browser.get("/proposals/").content
    assert b"No proposal fits" in browser.get("/proposals/?state=failed").content
    assert b"No proposal fits" in browser.get("/proposals/?search=zebra").content
    assert b"crm.add-note" in browser.get("/proposals/?search=note&state=proposed").content
    assert b"No proposals yet" in browser_of(story.cast.mallory).get("/proposals/").content


def test_others_do_not_find_the_page(story: Story) -> None:
    made = story.waiting()
    at = f"/proposals/{made.public_id}/"

    assert browser_of(story.cast.mallory).get(at).status_code == 404
    assert browser_of(story.approver).get(at).status_code == 200
    assert browser_of().get(at).status_code == 302
    assert Operation.objects.count() == 2


def test_the_owner_withdraws_on_the_page(story: Story) -> None:
    made = story.waiting()
    browser = browser_of(story.cast.alice)

    browser.post(f"/proposals/{made.public_id}/withdraw/")

    made.refresh_from_db()
    assert (made.state, made.decided_how) == ("withdrawn", "owner")
    assert Actor.of(story.cast.alice).ref == story.cast.alice.ref
    assert "withdrawn" in page_of(story, made, story.cast.alice).lower()


def test_the_review_shows_the_whole_action_and_binds_the_answer_to_it(story: Story) -> None:
    made = story.waiting(arguments={"note": "Please call back"})
    browser = browser_of(story.approver)
    at = f"/reviews/{made.review_id}/"

    shown = browser.get(at).content.decode()

    assert "Please call back" in shown
    assert "nothing left out" in shown
    assert f'name="digest" value="{made.action_digest}"' in shown
    blind = browser.post(f"{at}decide/", {"decision": "approve"})
    assert blind.status_code == 409
    browser.post(f"{at}decide/", {"decision": "approve", "digest": made.action_digest})
    made.refresh_from_db()
    assert made.state == "approved"


def test_a_reviewer_corrects_on_the_page(story: Story) -> None:
    made = story.waiting(arguments={"note": "Call back NOW"})
    browser = browser_of(story.approver)
    at = f"/reviews/{made.review_id}/decide/"
    said = {"decision": "approve", "digest": made.action_digest}

    broken = browser.post(at, said | {"edited_arguments": '{"note": '})
    assert broken.status_code == 400
    assert b"{&quot;note&quot;: " in broken.content
    browser.post(at, said | {"edited_arguments": '{"customer": "c-17", "note": "Call back"}'})

    made.refresh_from_db()
    assert (made.state, made.edited_count) == ("approved", 1)
    shown = page_of(story, made)
    assert "What a reviewer changed" in shown
    assert "<del>NOW</del>" in shown


def test_what_changed_since_offers_no_approval(story: Story) -> None:
    made = story.waiting()
    Connection.objects.update(revision=2)

    shown = browser_of(story.approver).get(f"/reviews/{made.review_id}/").content.decode()

    assert 'value="approve"' not in shown
    assert 'value="reject"' in shown


def test_the_agents_page_and_its_run_lead_to_what_it_proposed(story: Story) -> None:
    made = story.waiting()
    browser = browser_of(story.cast.alice)

    assert made.public_id in browser.get("/agents/note-taker/").content.decode()
    run = browser.get(f"/runs/{made.run_id}/").content.decode()
    assert f"/proposals/?search={made.run_id}" in run
    assert "crm.add-note" in browser.get(f"/proposals/?search={made.run_id}").content.decode()
