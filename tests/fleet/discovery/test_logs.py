"""Every log format as its makers document it, and whatever else may stand in such a file."""

from __future__ import annotations

import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.discovery.readers.formats import READERS
from fleet.discovery.readers.tally import NotReadable, Tally, TooLargeUnpacked
from fleet.discovery.signs import Flag, Sighting

SQUID = b"""\
1795289358.345      6 127.0.0.1 TCP_TUNNEL/200 39 CONNECT api.openai.com:443 - HIER_DIRECT/127.0.0.1 -
1795289358.604      0 127.0.0.1 TCP_MISS/200 958 GET http://127.0.0.1:18081/v1/models - HIER_DIRECT/127.0.0.1 application/json
1795289359.001      2 10.1.1.7 TCP_TUNNEL/200 900 CONNECT api.anthropic.com:443 ACME\\jana HIER_DIRECT/1.2.3.4 -
1795289360.001      2 10.1.1.7 TCP_DENIED/403 900 CONNECT api.anthropic.com:443 ACME\\jana HIER_NONE/- -
not a line of squid
"""  # noqa: E501
ZEEK = b"""\
{"ts":1795289358.34,"uid":"CHF","id.orig_h":"10.2.3.4","id.orig_p":50123,"id.resp_h":"203.0.113.9","id.resp_p":443,"version":"TLSv13","server_name":"api.anthropic.com","established":true}
{"ts":1795289359.34,"uid":"CHF","id.orig_h":"10.2.3.4","proto":"udp","query":"api.mistral.ai","qtype_name":"A","answers":["203.0.113.9"]}
{"ts":1795289359.34,"uid":"CHF","id.orig_h":"10.2.3.4","id.resp_p":443,"version":"TLSv13"}
{"ts":1795289359.34,"uid":"CHF","id.orig_h":"10.2.3.4","server_name":"www.example.com","new_field":[1]}
{"ts":
"""
ZEEK_TSV = (
    b"#separator \\x09\n#set_separator\t,\n#unset_field\t-\n#path\tssl\n"
    b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tserver_name\n#types\ttime\tstring\taddr\tport\tstring\n"
    b"1795289358.34\tC1\t10.2.3.4\t50123\tapi.openai.com\n"
    b"1795289358.35\tC2\t10.2.3.4\t50123\t-\n"
    b"1795289358.36\tC3\t10.2.3.4\n#close\t2026-11-20-00-00-00\n"
)
ROUTE53 = b"""\
{"version":"1.100000","account_id":"111122223333","region":"eu-west-1","vpc_id":"vpc-7example","query_timestamp":"2026-11-20T09:00:01Z","query_name":"bedrock-runtime.eu-west-1.amazonaws.com.","query_type":"A","rcode":"NOERROR","srcaddr":"10.0.1.12","srcids":{"instance":"i-0d15cd0d3example"}}
{"version":"1.100000","query_timestamp":"2026-11-20T10:00:01Z","query_name":"bedrock-runtime.eu-west-1.amazonaws.com.","srcaddr":"10.0.1.99","srcids":{"instance":"i-0d15cd0d3example"}}
{"version":"1.100000","query_timestamp":"2026-11-20T10:00:01Z","query_name":"example.com.","srcaddr":"10.0.1.99"}
{"version":"1.100000","query_name":"api.openai.com."}
[]
"""
NGINX = b"""\
10.9.0.1 - - [20/Nov/2026:10:00:00 +0100] api.openai.com 443
10.9.0.1 - jana [2026-11-20T10:00:00+01:00] api.openai.com 200
{"time_iso8601":"2026-11-20T10:00:00+01:00","remote_addr":"10.9.0.2","ssl_preread_server_name":"api.groq.com"}
10.9.0.1 - - [20/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 12 "-" "curl/8.0"
{"time_iso8601":"2026-11-20T10:00:00+01:00"}
"""


def read(kind: str, raw: bytes) -> tuple[list[Sighting], Tally]:
    tally = Tally()
    return list(READERS[kind](io.BytesIO(raw), tally)), tally


def vendors(sightings: list[Sighting]) -> list[str]:
    return sorted(each.vendor for each in sightings)


def test_squid_lines_are_grouped_by_who_sent_them_and_refusals_are_told() -> None:
    found, tally = read("squid", SQUID)

    assert vendors(found) == ["Anthropic", "OpenAI"]
    jana = next(each for each in found if each.vendor == "Anthropic")
    assert (jana.calls, jana.facts["denied"]) == (2, 1)
    assert jana.flags == {Flag.DIRECT, Flag.BLOCKED_BEFORE}
    assert jana.hints[0].who == "ACME\\jana"
    assert "jana" not in jana.title + jana.summary + json.dumps(jana.facts)
    assert (tally.lines, tally.understood, tally.passed, tally.malformed) == (5, 3, 1, 1)
    assert tally.samples == [{"line": 5, "why": "5 fields where 10 are expected"}]


def test_zeek_is_read_as_json_and_as_a_table() -> None:
    found, tally = read("zeek", ZEEK)
    assert vendors(found) == ["Anthropic", "Mistral"]
    assert (tally.understood, tally.passed, tally.malformed) == (2, 2, 1)

    found, tally = read("zeek", ZEEK_TSV)
    assert vendors(found) == ["OpenAI"]
    assert (tally.understood, tally.malformed) == (1, 1)


def test_a_resolver_names_the_instance_that_outlives_its_address() -> None:
    found, tally = read("route53", ROUTE53)

    assert [each.calls for each in found] == [2]
    assert found[0].hints[0].who == "i-0d15cd0d3example"
    assert (tally.passed, tally.malformed) == (1, 2)


def test_nginx_lines_that_name_no_server_are_malformed() -> None:
    found, tally = read("nginx", NGINX)

    assert sorted((each.vendor, each.calls) for each in found) == [
        ("Groq", 1), ("OpenAI", 1), ("OpenAI", 1),
    ]  # fmt: skip
    assert tally.malformed == 2


@pytest.mark.parametrize("kind", sorted(READERS))
@given(raw=st.binary(max_size=2000) | st.text(max_size=500).map(str.encode))
def test_whatever_stands_in_a_file_ends_in_counts(kind: str, raw: bytes) -> None:
    tally = Tally()
    try:
        for each in READERS[kind](io.BytesIO(raw), tally):
            assert 0 <= each.confidence <= 1
            assert each.keys
    except (NotReadable, TooLargeUnpacked):
        pass
    assert tally.malformed >= 0


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
_MEMBERS = st.sampled_from(
    (
        "object", "id", "type", "name", "owner", "amount", "results", "data", "api_key_id", "ts",
        "start_time", "redacted_value", "query_timestamp", "query_name", "srcids", "id.orig_h",
        "server_name", "api_key", "metadata", "spend", "startTime", "fingerprint", "evidence",
        "confidence", "properties", "displayName", "uncached_input_tokens", "num_model_requests",
    )
)  # fmt: skip


@pytest.mark.parametrize("kind", sorted(READERS))
@given(rows=st.lists(st.dictionaries(_MEMBERS, _VALUES, max_size=6), max_size=4))
def test_known_members_may_hold_anything(kind: str, rows: list[object]) -> None:
    tally = Tally()
    raw = "\n".join(json.dumps(row) for row in rows).encode()
    try:
        for each in READERS[kind](io.BytesIO(raw), tally):
            assert each.cost_micros >= 0
            assert each.calls >= 0
    except NotReadable:
        pass


def test_a_compressed_log_is_read_to_the_end_of_its_last_member() -> None:
    parts = gzip.compress(SQUID[:200]) + gzip.compress(SQUID[200:])

    assert read("squid", parts)[1].lines == 5


def test_a_log_that_is_cut_off_in_its_compression_is_told_so() -> None:
    found, tally = read("squid", gzip.compress(SQUID)[:-12])

    assert found
    assert "cut off" in str(tally.samples)


def test_a_bomb_is_refused_while_it_unpacks() -> None:
    bomb = gzip.compress(b"\n" * (200 * 1024 * 1024), compresslevel=9)

    with pytest.raises(TooLargeUnpacked):
        read("squid", bomb)


def test_a_line_without_an_end_takes_no_memory() -> None:
    found, tally = read("squid", b"x" * 3_000_000 + b"\n" + SQUID)

    assert len(found) == 2
    assert tally.samples[0] == {"line": 1, "why": "the line is too long"}
