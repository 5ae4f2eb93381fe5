"""Whatever an importer is given: logs as tools write them, files as they break, keys anywhere."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleet.discovery.actions.noting import note_sightings
from fleet.discovery.actions.readings import carry_out_readings, take_upload
from fleet.discovery.models import Finding, Reading
from fleet.discovery.pulling.pages import MOST_PAGES, Account, PullFailed
from fleet.discovery.readers.formats import READERS
from fleet.discovery.readers.tally import NotReadable, Tally, TooLargeUnpacked
from fleet.discovery.signs import FORMATS, Sighting
from kernel import clock
from registry.actors import Actor
from tests.factories import Cast, actor, browser_of
from tests.fleet.discovery.corpus import KEYS, MIDDLE
from tests.fleet.discovery.test_readings import everything

pytestmark = pytest.mark.django_db
SWEEP = Actor.system("discovery")

SQUID = (
    "1795289358.345   1207 10.3.1.9 TCP_TUNNEL/200 4821 CONNECT api.openai.com:443 jana"
    " HIER_DIRECT/162.159.140.245 -\n"
    "1795289359.001      0 10.3.1.9 TCP_DENIED/407 4089 CONNECT api.anthropic.com:443 -"
    " HIER_NONE/- text/html\n"
    "1795289360.120     65 fd00::9 TCP_MISS/200 912 POST http://api.mistral.ai/v1/chat/completions"
    " ACME\\\\jana HIER_DIRECT/[2606:4700::6812:1] application/json\n"
    "1795289361.000      3 10.3.1.9 NONE_NONE/000 0 - error:transaction-end-before-headers -"
    " HIER_NONE/- -\n"
)
ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tssl\n"
    "#open\t2026-11-20-09-00-00\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p"
    "\tversion\tcipher\tserver_name\tresumed\testablished\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tstring\tstring\tstring\tbool\tbool\n"
    "1795289358.345001\tCHhAvVGS1DHFjwGM9\t10.3.1.9\t51514\t162.159.140.245\t443\tTLSv13"
    "\tTLS_AES_128_GCM_SHA256\tapi.openai.com\tF\tT\n"
    "1795289358.400000\tC4J4Th3PJpwUYZZ6gc\t10.3.1.9\t51515\t1.1.1.1\t443\tTLSv13\t-\t-\tF\tT\n"
    "#close\t2026-11-20-10-00-00\n"
)
ROUTE53 = json.dumps({
    "version": "1.100000", "account_id": "111122223333", "region": "eu-central-1",
    "vpc_id": "vpc-7bb4", "query_timestamp": "2026-11-20T09:08:55Z",
    "query_name": "api.openai.com.", "query_type": "A", "query_class": "IN", "rcode": "NOERROR",
    "answers": [{"Rdata": "162.159.140.245", "Type": "A", "Class": "IN"}],
    "srcaddr": "10.3.1.9", "srcport": "56067", "transport": "UDP",
    "srcids": {"instance": "i-0d15cd0d3ea2a1b5c", "resolver_endpoint": "rslvr-in-1"},
})  # fmt: skip
# As the proxy of 1.7x writes a row: metadata as an object, its own cost breakdown, a session.
LITELLM = {
    "request_id": "chatcmpl-1", "call_type": "acompletion", "api_key": "88dc28d0f030c55e" * 4,
    "spend": 0.0132, "total_tokens": 612, "prompt_tokens": 600, "completion_tokens": 12,
    "startTime": "2026-11-20T09:00:00.120000Z", "endTime": "2026-11-20T09:00:01.440000Z",
    "completionStartTime": "2026-11-20T09:00:00.600000Z", "session_id": "ses-1",
    "model": "gpt-5", "model_id": "a1b2", "model_group": "gpt-5", "mcp_namespaced_tool_name": None,
    "custom_llm_provider": "openai", "api_base": "https://api.openai.com", "user": "jana@acme.test",
    "metadata": {
        "user_api_key_alias": "nightly", "user_api_key_team_alias": "Finance",
        "status": "success", "usage_object": {"total_tokens": 612}, "cost_breakdown": {},
        "user_api_key_project_id": None, "spend_logs_metadata": {"note": "x"},
    },
    "cache_hit": "False", "request_tags": ["User-Agent: openai-python"], "team_id": "t-1",
    "end_user": "customer-7", "requester_ip_address": "10.0.0.9", "status": "success",
    "messages": {"role": "user", "content": "the payroll of March"},
    "response": {"choices": [{"message": {"content": "it is 4 711"}}]},
    "proxy_server_request": {"model": "gpt-5", "messages": ["the payroll of March"]},
}  # fmt: skip


def read(kind: str, raw: bytes) -> tuple[list[Sighting], Tally]:
    tally = Tally()
    return list(READERS[kind](io.BytesIO(raw), tally)), tally


def senders(found: list[Sighting]) -> set[str]:
    return {each.vendor for each in found}


def test_squids_own_lines_are_read_with_refusals_v6_and_what_never_began() -> None:
    found, tally = read("squid", SQUID.encode())
    assert senders(found) == {"OpenAI", "Anthropic", "Mistral"}
    assert (tally.understood, tally.malformed) == (3, 1)
    assert {hint.who for each in found for hint in each.hints} >= {"jana"}


def test_zeeks_own_header_is_understood_and_a_hidden_name_is_passed_over() -> None:
    found, tally = read("zeek", ZEEK.encode())
    assert senders(found) == {"OpenAI"}
    assert (tally.understood, tally.malformed) == (1, 0)


@pytest.mark.parametrize("before", ["", "2026-11-20T09:08:55.000Z "])
def test_a_resolvers_lines_are_read_as_s3_and_as_cloudwatch_keep_them(before: str) -> None:
    found, tally = read("route53", f"{before}{ROUTE53}\n".encode() * 3)
    assert (senders(found), tally.understood) == ({"OpenAI"}, 3)
    assert found[0].hints[0].who == "i-0d15cd0d3ea2a1b5c"


def test_a_proxys_recent_rows_are_summed_and_nobodys_words_are_read() -> None:
    listed = {"data": [LITELLM, LITELLM], "total": 2, "page": 1, "page_size": 50, "total_pages": 1}
    for raw in (json.dumps([LITELLM, LITELLM]), json.dumps(listed) + "\n",
                f"{json.dumps(LITELLM)}\n{json.dumps(LITELLM)}\n"):  # fmt: skip
        (found,), _ = read("litellm", raw.encode())
        assert (found.title, found.calls, found.cost_micros) == ("LiteLLM nightly", 2, 26_400)
        for word in ("payroll", "4 711", "customer-7", "10.0.0.9"):
            assert word not in repr(found)


def test_a_proxy_that_logs_its_keys_shows_no_part_of_one() -> None:
    row = LITELLM | {"api_key": "sk-" + MIDDLE, "metadata": {}}
    (found,), _ = read("litellm", json.dumps(row).encode())
    assert MIDDLE[:5] not in found.title


BOMB = gzip.compress(b"\0" * 100_000_000, 1)
LOGS: dict[str, bytes] = {
    "squid": SQUID.encode(), "zeek": ZEEK.encode(), "route53": f"{ROUTE53}\n".encode(),
    "litellm": f"{json.dumps(LITELLM)}\n".encode(),
}  # fmt: skip
SAVED: dict[str, Callable[[bytes], bytes]] = {
    "utf-8 with a mark": lambda raw: codecs.BOM_UTF8 + raw,
    "utf-16 as a shell writes it": lambda raw: raw.decode().encode("utf-16"),
    "utf-16 of the other end": lambda raw: codecs.BOM_UTF16_BE + raw.decode().encode("utf-16-be"),
    "lines of another system": lambda raw: raw.replace(b"\n", b"\r\n"),
    "gzip": gzip.compress,
    "utf-16 in gzip": lambda raw: gzip.compress(raw.decode().encode("utf-16")),
}


@pytest.mark.parametrize("how", SAVED)
@pytest.mark.parametrize("kind", LOGS)
def test_a_log_says_the_same_however_it_was_saved(kind: str, how: str) -> None:
    plain, _ = read(kind, LOGS[kind])
    found, _ = read(kind, SAVED[how](LOGS[kind]))
    assert plain
    assert {(each.title, each.calls) for each in found} == {
        (each.title, each.calls) for each in plain
    }


@pytest.mark.parametrize("kind", LOGS)
def test_what_is_broken_in_the_middle_costs_no_more_than_its_lines(kind: str) -> None:
    good = LOGS[kind]
    for broken in (
        b"\0" * 4096,
        b"x" * 10_000_000,
        b"\xff\xfe\xfa" * 200,
        "ÿ".encode("latin-1") * 50,
        b'{"a": ' * 500,
        b"\x1b[31m" * 30,
    ):
        found, tally = read(kind, good + broken + b"\n" + good)
        assert senders(found) >= senders(read(kind, good)[0])
        assert tally.malformed >= 1
        assert all(len(str(sample["why"])) <= 120 for sample in tally.samples)


def test_a_table_with_nuls_open_quotes_and_too_many_cells_ends_in_counts() -> None:
    head = "api_key,spend,model,startTime\n"
    rows = (
        f"{'ab' * 32},0.5,gpt-5,2026-11-20T09:00:00Z\n"
        "\0\0\0,1,2,3\n"
        '"never closed,1,2,3\n' + "a," * 5000 + "\n" + f"{'ab' * 32},nan,gpt-5,9999-99-99\n"
        f"{'ab' * 32},-1e400,gpt-5,2999-01-01T00:00:00Z\n"
    )
    found, tally = read("litellm", (head + rows).encode())
    known = next(each for each in found if each.calls == 3)
    assert known.cost_micros == 500_000
    assert tally.malformed >= 2


@pytest.mark.parametrize("kind", LOGS)
def test_a_compressed_log_that_is_cut_or_a_bomb_says_so(kind: str) -> None:
    packed = gzip.compress(LOGS[kind] * 50)
    _, tally = read(kind, packed[: len(packed) * 2 // 3])
    assert any("cut off" in str(sample["why"]) for sample in tally.samples)
    with pytest.raises((TooLargeUnpacked, NotReadable)):
        read(kind, BOMB)
    with pytest.raises(NotReadable):
        read(kind, packed[:40] + b"\0\xff\0\xff" * 50)


def test_what_lies_in_the_future_is_seen_no_later_than_now(cast: Cast) -> None:
    later = SQUID.replace("17952893", "39952893")
    found, _ = read("squid", later.encode())
    note_sightings(found, source="squid", batch="b")
    assert Finding.objects.exists()
    assert all(each.last_seen_at <= clock.now() for each in Finding.objects.all())


class Circle(Account):
    """An account whose pages lead back into each other."""

    def get(self, path: str, **query: Any) -> dict[str, Any] | list[Any]:
        self.pages += 1
        assert self.pages <= MOST_PAGES
        place = str(query.get("after") or query.get("after_id") or query.get("page") or "")
        following = {"": "a", "a": "b", "b": "a"}[place]
        return {"data": [{}], "has_more": True, "last_id": following, "next_page": following}


@pytest.mark.parametrize(
    "walk",
    [
        lambda account: account.after_last("/keys", "after"),
        lambda account: account.after_last("/keys", "after_id"),
        lambda account: account.by_token("/usage"),
    ],
)
def test_pages_that_lead_in_a_circle_end_and_nothing_of_them_counts(walk: Any) -> None:
    account = Circle(base_url="x", header="x", scheme="", secret=None)  # type: ignore[arg-type]
    with pytest.raises(PullFailed, match="circle"):
        list(walk(account))
    assert account.pages < 10


def hostile_files() -> dict[str, tuple[str, bytes]]:
    """Each format with keys of every vendor where a name, a host, a path or a word belongs."""
    keys = list(KEYS.values())
    openai = [
        {"object": "organization.project.api_key", "id": key, "name": key, "_project": key,
         "redacted_value": key, "owner": {"user": {"email": f"{key}@acme.test"}}}
        for key in keys
    ]  # fmt: skip
    anthropic = [
        {"type": "api_key", "id": key, "name": key, "partial_key_hint": key, "workspace_id": key}
        for key in keys
    ]
    litellm = [LITELLM | {"api_key": key, "user": key, "model": key, "team_id": key,
                          "metadata": {"user_api_key_alias": key}} for key in keys]  # fmt: skip
    squid = "".join(
        f"1795289358.345 6 10.0.0.1 TCP_TUNNEL/200 39 CONNECT api.openai.com:443 {key} H/1 -\n"
        f"1795289358.345 6 {key} TCP_MISS/200 39 GET http://{key}@api.openai.com/{key} - H/1 -\n"
        for key in keys
    )
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as made:
        for key in keys:
            for body in (f"token = '{key}'\n".encode(), f"token = '{key}'\n".encode("utf-16")):
                member = tarfile.TarInfo(f"app/{key}/{len(body)}-{key}.py")
                member.size = len(body)
                made.addfile(member, io.BytesIO(body))
    told = "\n".join(json.dumps(each) for each in (openai, anthropic, litellm))
    return {
        "openai": ("openai", json.dumps(openai).encode()),
        "anthropic": ("anthropic", json.dumps(anthropic).encode()),
        "litellm": ("litellm", json.dumps(litellm).encode()),
        "squid": ("squid", squid.encode()),
        "repository": ("repository", held.getvalue()),
        "broken archive": ("repository", held.getvalue()[:300] + keys[0].encode() * 40),
        **{f"{kind} that is something else": (kind, told.encode()) for kind in FORMATS},
    }


def test_no_key_comes_to_rest_or_is_told_wherever_it_stood(
    cast: Cast, settings: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EXPORT_DIR = tmp_path
    for title, (kind, raw) in hostile_files().items():
        name = f"{title} {KEYS['openai-project']}.log"
        take_upload([raw], kind=kind, title=name, actor=actor(cast.sam))
    while carry_out_readings(actor=SWEEP):
        pass
    assert not Reading.objects.exclude(state__in=["done", "failed"]).exists()
    assert Finding.objects.filter(kind="hard_coded_key").count() >= len(KEYS)
    told = caplog.text + everything()
    sam = browser_of(cast.sam)
    for page in ("/unregistered/?state=all", "/unregistered/sources/"):
        told += sam.get(page).content.decode()
    for finding in Finding.objects.all():
        told += sam.get(f"/unregistered/{finding.public_id}/").content.decode()
    assert [told[at - 200 : at + 60] for at in [told.find(MIDDLE)] if at >= 0] == []
    assert [name for name, key in KEYS.items() if key in told] == []
