"""The tags render what a page asks for, and escape what people wrote."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory

from fleet.templatetags.states import LOOKS, look_of

SCRIPT = "<script>alert(1)</script>"


def render(source: str, **context: object) -> str:
    return Template("{% load ui %}" + source).render(Context(context))


def test_an_icon_is_decoration_unless_it_is_labelled() -> None:
    assert 'aria-hidden="true"' in render('{% icon "bot" %}')
    assert 'role="img" aria-label="Agent"' in render('{% icon "bot" label="Agent" %}')


def test_every_state_is_shown_by_a_word_and_not_by_colour_alone() -> None:
    for state, look in LOOKS.items():
        assert look.label in render("{% badge state %}", state=state)


def test_a_state_nobody_listed_still_has_a_word() -> None:
    assert look_of("half_open").label == "Half open"


def test_suspended_is_shown_before_the_stage() -> None:
    agent = SimpleNamespace(stage="live", suspended_at=datetime.now(UTC), killed_at=None)
    assert "Suspended" in render("{% agent_badge agent %}", agent=agent)


def test_an_owner_who_left_is_marked() -> None:
    person = SimpleNamespace(deactivated_at=datetime.now(UTC))
    assert "(left)" in render("{% owner person %}", person=person)
    assert "Nobody" in render("{% owner person %}", person=None)


def test_a_moment_carries_its_exact_time_for_machines_and_readers() -> None:
    moment = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    text = render("{% ago moment %}", moment=moment)
    assert 'datetime="2026-11-21T12:00:00Z"' in text
    assert 'title="21 Nov 2026, 12:00 UTC"' in text


@pytest.mark.parametrize(
    "source",
    [
        "{% badge text %}",
        "{% owner text %}",
        "{% bars items %}",
        "{% donut items label=text total=text %}",
        "{% split_bar items label=text %}",
        "{% span_chart items label=text %}",
        "{% sparkline numbers label=text %}",
        '{% time_chart "c" chart text %}',
        "{% crumbs text text text %}",
        '{% include "_partials/diff.html" with rows=rows %}',
        '{% include "_partials/code.html" with code=text name=text id="c" %}',
        '{% include "_partials/copy_line.html" with text=text %}',
        '{% include "_partials/confirm.html" with id="c" title=text typed=text text=text %}',
        '{% include "_partials/tile.html" with label=text value=text note=text %}',
    ],
)
def test_what_people_wrote_is_escaped(source: str) -> None:
    item = {"label": SCRIPT, "value": 1, "note": SCRIPT, "started_at": 0, "ended_at": 1}
    text = render(
        source,
        text=SCRIPT,
        items=[item],
        numbers=[1, 2],
        rows=[{"kind": "changed", "path": SCRIPT, "before": SCRIPT, "after": SCRIPT}],
        chart={"times": [1], "series": [{"label": SCRIPT, "values": [1]}]},
    )
    assert SCRIPT not in text
    assert not re.search(r"\sstyle=", text)


def test_a_field_is_tied_to_its_help_and_its_error() -> None:
    class Form(forms.Form):
        email = forms.EmailField(help_text="The company one.")

    text = render("{% field form.email %}", form=Form({"email": "nonsense"}))
    described = re.search(r'aria-describedby="([^"]+)"', text)
    assert described is not None
    assert all(f'id="{name}"' in text for name in described[1].split())
    assert 'aria-invalid="true"' in text


def test_sorting_turns_around_and_forgets_the_page() -> None:
    request = RequestFactory().get("/", {"ordering": "cost", "cursor": "abc", "stage": "live"})
    text = render('{% sort_header "Spend" "cost" "num" %}', request=request)
    assert 'aria-sort="ascending"' in text
    assert "ordering=-cost" in text
    assert "stage=live" in text
    assert "cursor" not in text
