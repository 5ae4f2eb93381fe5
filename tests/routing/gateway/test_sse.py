"""Events: the same, however the bytes were split on the way."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from routing.gateway.sse import HOLD, EventSplitter, data_of

lines = st.sampled_from(
    [b"data: {}", b"data:x", b"data", b": ping", b"event: a", b"id: 7", b"data: [DONE]", b"junk"]
)
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw):
    end = draw(line_ends)
    events = draw(st.lists(st.lists(lines, min_size=1, max_size=4), max_size=6))
    return [b"".join(line + end for line in event) + end for event in events]


@given(streams(), st.data())
def test_any_split_gives_the_same_events(events, data):
    whole = b"".join(events)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=12)))
    splitter, found = EventSplitter(), []
    for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        found += splitter.feed(whole[start:end])
    assert b"".join(event.raw for event in found) + splitter.held == whole
    wanted = [data_of(event) for event in events]
    assert [event.data for event in found if event.raw.strip()] == wanted


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_no_byte_is_lost_or_made(chunks):
    splitter = EventSplitter()
    raw = b"".join(event.raw for chunk in chunks for event in splitter.feed(chunk))
    assert raw + splitter.held == b"".join(chunks)


@given(st.integers(HOLD - 3, HOLD + 3), st.integers(1, 5))
def test_nothing_big_is_held(size, times):
    splitter, passed = EventSplitter(), b""
    for _ in range(times):
        passed += b"".join(event.raw for event in splitter.feed(b"x" * size))
        assert len(splitter.held) <= HOLD
    passed += b"".join(event.raw for event in splitter.feed(b"\n\ndata: b\n\n"))
    assert passed == b"x" * size * times + b"\n\ndata: b\n\n"
    assert not splitter.is_inside_fragments


def test_data_lines_are_joined_and_one_space_is_dropped():
    assert data_of(b"data: a\ndata:b\ndata:  c\n\n") == b"a\nb\n c"
    assert data_of(b"data\n\n") == b""
    assert data_of(b": data: x\nevent: y\n\n") == b""


def test_a_byte_order_mark_at_the_start_hides_nothing():
    (event,) = EventSplitter().feed(b"\xef\xbb\xbfdata: [DONE]\n\n")
    assert event.data == b"[DONE]"
    assert event.raw.startswith(b"\xef\xbb\xbf")


def test_line_ends_may_be_mixed():
    found = EventSplitter().feed(b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n")
    assert [event.data for event in found if event.data] == [b"a", b"b", b"c"]
