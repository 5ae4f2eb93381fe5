from __future__ import annotations

from ipaddress import IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.addresses import AddressFault, Target, is_permitted, is_public
from credentials.errors import AddressRefused


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/a?b=c", "https://example.com/a?b=c"),
        ("https://xn--exmple-cua.com:8443/%7Ea", "https://xn--exmple-cua.com:8443/%7Ea"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://[2606:2800:0220::1]:8443/?", "https://[2606:2800:220::1]:8443/?"),
        ("https://a-b.c1.example/x:y@z", "https://a-b.c1.example/x:y@z"),
    ],
)
def test_a_plain_address_has_one_spelling(url: str, plain: str) -> None:
    assert Target.parse(url).url == plain
    assert Target.parse(plain).url == plain


@pytest.mark.parametrize(
    "url", ["http://localhost:11434/v1", "http://127.0.0.1:8200/", "http://vllm/", "http://[::1]/"]
)
def test_addresses_inside_are_read_for_an_administrator_only(url: str) -> None:
    assert Target.parse(url, allow_private=True).scheme == "http"
    with pytest.raises(AddressRefused) as refused:
        Target.parse(url)
    assert refused.value.facts == {"reason": AddressFault.SCHEME}


@given(st.text(max_size=60))
def test_what_is_read_is_read_alike_the_second_time(text: str) -> None:
    try:
        target = Target.parse(f"https://{text}")
    except AddressRefused:
        return
    assert Target.parse(target.url) == target


# Python 3.11 calls several of these public: hence a list of our own.
INSIDE = [
    "0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.100.100.200", "100.127.255.255",
    "127.0.0.1", "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1",
    "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1",
    "192.175.48.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::1",
    "64:ff9b:1::808:808", "100::1", "2001::1", "2001:0:7f00:1::", "2001:10::1", "2001:20::1",
    "2001:1ff::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "2620:4f:8000::1", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
    "2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:10.0.0.1", "4000::1", "e000::1",
]  # fmt: skip
OUTSIDE = [
    "1.1.1.1", "8.8.8.8", "93.184.216.34", "100.63.255.255", "100.128.0.0", "172.15.255.255",
    "172.32.0.0", "192.0.1.1", "223.255.255.255", "168.63.129.15", "2606:4700::1111",
    "2001:4860:4860::8888", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
    "2606:4700::5efe:8.8.8.8",
]  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_this_is_not_the_open_internet(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", OUTSIDE)
def test_this_is_the_open_internet(text: str) -> None:
    assert is_public(ip_address(text))
    assert is_permitted(ip_address(text), allow_private=False)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "::1", "fd00::1",
             "::ffff:10.0.0.1", "1.1.1.1"],
)  # fmt: skip
def test_an_administrator_may_point_inside(text: str) -> None:
    assert is_permitted(ip_address(text), allow_private=True)


@pytest.mark.parametrize(
    "text",
    ["169.254.169.254", "169.254.170.2", "100.100.100.200", "168.63.129.16", "192.0.0.192",
     "0.0.0.0", "255.255.255.255", "224.0.0.1", "240.0.0.1", "::", "fe80::1", "fd00:ec2::254",
     "fd20:ce::254", "ff02::1", "::ffff:169.254.169.254", "2002:a9fe:a9fe::", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_not_even_an_administrator_reaches_metadata(text: str) -> None:
    assert not is_permitted(ip_address(text), allow_private=True)


@given(st.integers(min_value=0, max_value=2**32 - 1))
def test_what_is_not_public_is_not_public_in_any_wrapping(number: int) -> None:
    plain = is_public(ip_address(number))
    for prefix in (0xFFFF << 32, 0x64_FF9B << 96, (0x2606_4700 << 96) | (0x5EFE << 32)):
        assert is_public(ip_address(prefix | number)) == plain
    for wrapped in (IPv6Address(number), IPv6Address((0x2002 << 112) | (number << 80))):
        assert not is_public(wrapped)
