"""Vendor addresses: one reading, one form, nothing that two readers understand differently."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.addresses import read_address
from routing.errors import AddressUnusable


@pytest.mark.parametrize(
    ("given_text", "dialect", "stored"),
    [
        ("https://api.openai.com/v1", "openai", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "openai", "https://api.openai.com/v1"),
        ("api.openai.com", "openai", "https://api.openai.com/v1"),
        ("HTTPS://API.OpenAI.com:443", "openai", "https://api.openai.com/v1"),
        ("https://api.anthropic.com", "anthropic", "https://api.anthropic.com/v1"),
        ("https://api.anthropic.com/v1/messages", "anthropic", "https://api.anthropic.com/v1"),
        ("https://a.example/anthropic", "anthropic", "https://a.example/anthropic/v1"),
        ("localhost:11434", "openai", "http://localhost:11434/v1"),
        ("127.0.0.1:8080/v1", "openai", "http://127.0.0.1:8080/v1"),
        ("http://[::1]:8000/v1", "openai", "http://[::1]:8000/v1"),
        ("http://10.1.2.3:80/v1/chat/completions", "openai", "http://10.1.2.3/v1"),
        ("https://x.openai.azure.com", "openai", "https://x.openai.azure.com/openai/v1"),
        ("https://api.groq.com", "openai", "https://api.groq.com/openai/v1"),
        (
            "https://generativelanguage.googleapis.com",
            "openai",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("https://llm.example./proxy", "openai", "https://llm.example/proxy"),
    ],
)
def test_what_people_paste_becomes_one_form(given_text, dialect, stored):
    assert read_address(given_text, dialect=dialect).base_url == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://",
        "https:///v1",
        "ftp://api.openai.com",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "https://user:pass@api.openai.com/v1",
        "https://api.openai.com@evil.example/v1",
        "https://api.openai.com\\@evil.example/v1",
        "https://api.openai.com/v1?x=1",
        "https://api.openai.com/v1#x",
        "https://api.openai.com/v1?",
        "https://api.openai.com/../v1",
        "https://api.openai.com/%2e%2e/v1",
        "https://api.openai.com//v1",
        "https://api.openai.com/v1\r\nHost: evil",
        "https://api.openai.com/ v1",
        "https://api..openai.com",
        "https://аpi.openai.com",
        "https://api.openai.com:0",
        "https://api.openai.com:99999",
        "https://api.openai.com:",
        "https://api.openai.com:4x",
        "http://169.254.169.254/v1",
        "http://[fe80::1]/v1",
        "http://0.0.0.0/v1",
        "http://0.1.2.3/v1",
        "http://224.0.0.1/v1",
        "http://255.255.255.255/v1",
        "http://2130706433/v1",
        "http://0x7f.0.0.1/v1",
        "http://127.1/v1",
        "http://0177.0.0.1/v1",
        "http://[::ffff:169.254.169.254]/v1",
        "http://[fe80::1%25eth0]/v1",
        "https://" + "a" * 600,
    ],
)
def test_what_could_be_understood_differently_is_refused(text):
    with pytest.raises(AddressUnusable):
        read_address(text, dialect="openai")


def test_near_and_unencrypted_addresses_are_flagged_and_taken():
    notes = read_address("http://192.168.1.5:8000/v1", dialect="openai").notes
    assert notes == [
        "The address is on this machine or in a private network.",
        "http:// is not encrypted.",
    ]
    (note,) = read_address("http://llm.example.com/v1", dialect="openai").notes
    assert "prompts and the secret can be read" in note
    assert read_address("https://api.openai.com/v1", dialect="openai").notes == []


@pytest.mark.parametrize(
    ("host", "platform"),
    [
        ("api.openai.com", "openai"),
        ("acme.openai.azure.com", "azure"),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"),
        ("europe-west4-aiplatform.googleapis.com", "vertex"),
        ("api.openai.com.evil.example", ""),
        ("llm.corp.internal", ""),
    ],
)
def test_the_platform_is_guessed_from_the_whole_host_only(host, platform):
    assert read_address(f"https://{host}/v1", dialect="openai").platform == platform


pieces = st.sampled_from(
    ["http://", "https://", "//", "/", "api.openai.com", "127.0.0.1", "[::1]", ":8000", ":",
     "/v1", "/models", "/messages", "?", "#", "%2f", "..", "\\", " ", "x", "é", "\t", "@"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=40), st.lists(pieces, max_size=8).map("".join)))
def test_a_stored_address_reads_back_as_itself_and_never_surprises(text):
    for dialect in ("openai", "anthropic"):
        try:
            first = read_address(text, dialect=dialect)
        except AddressUnusable:
            continue
        assert read_address(first.base_url, dialect=dialect).base_url == first.base_url
        parts = urlsplit(first.base_url)
        assert parts.scheme in {"http", "https"}
        assert parts.hostname == first.host
        assert (parts.username, parts.password, parts.query, parts.fragment) == (None, None, "", "")
        assert parts.path.startswith("/")
        assert not parts.path.endswith("/")
