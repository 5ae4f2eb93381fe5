"""Addresses that must lead nowhere: our own collection, made from spellings and from places.

``{port}`` is where canaries listen on loopback. Every host either is inside, in some spelling
that some resolver or parser takes for inside, or is a name that an attacker's server resolves
to loopback; so whoever connects to any of these is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from tests.credentials.hostile_urls import HOSTILE as BASE

INSIDE = ("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
          "100.100.100.200", "168.63.129.16", "192.0.0.192")  # fmt: skip
NAMES = ("localhost", "localtest.me", "127.0.0.1.nip.io", "metadata.google.internal",
         "metadata", "kubernetes.default.svc.cluster.local", "host.docker.internal",
         "rebind.example", "vault.service.consul", "wpad", "localhost6", "0x7f.1.example",
         "instance-data.ec2.internal", "metadata.azure.internal",
         "169.254.169.254.xip.io")  # fmt: skip
SCHEMES = ("http", "ftp", "ftps", "file", "gopher", "dict", "ldap", "ldaps", "tftp", "sftp",
           "ssh", "telnet", "smb", "redis", "postgresql", "amqp", "ws", "wss", "jar", "netdoc",
           "view-source", "blob", "data", "mailto", "unix", "http+unix", "git", "s3")  # fmt: skip
PORTS = ("22", "25", "53", "80", "110", "143", "389", "445", "2375", "3306", "5432", "5672",
         "6379", "8080", "8443", "9200", "11211", "15672", "27017")  # fmt: skip
DOTS = "\u3002\uff0e\uff61"  # what IDNA takes for a dot
BREAKS = ("%0d%0a", "%00", "\r\n", "\n", "\r", "\t", "\0", "\x0b", "\x85", "\u2028", " ")


def numeric(address: str) -> Iterator[str]:
    """Yield the spellings of an IPv4 address that `inet_aton` understands, and near ones."""
    a, b, c, d = IPv4Address(address).packed
    whole, low = int(IPv4Address(address)), c << 8 | d
    lower = b << 16 | low
    yield from (str(whole), hex(whole), f"0{whole:o}", f"{whole:#012x}", f"0X{whole:X}")
    yield from (f"{a}.{lower}", f"{a}.{b}.{low}", f"{a:#x}.{lower}", f"0{a:o}.{b}.{low:#x}")
    yield from (f"{a:#x}.{b:#x}.{c:#x}.{d:#x}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}")
    yield from (f"{a:04}.{b:04}.{c:04}.{d:04}", f"{a}.{b}.{c}.{d}.", f"{a}.{b}.{c}.0x{d:x}")
    yield from (address.replace(".", dot) for dot in DOTS)


def within_six(address: str) -> Iterator[str]:
    """Yield IPv6 literals that carry an IPv4 address inside."""
    a, b, c, d = IPv4Address(address).packed
    high, low = f"{a:02x}{b:02x}", f"{c:02x}{d:02x}"
    yield from (f"[::ffff:{address}]", f"[::{address}]", f"[64:ff9b::{address}]")
    yield from (f"[::ffff:{high}:{low}]", f"[2002:{high}:{low}::]", f"[64:ff9b:1::{high}:{low}]")
    yield f"[2001:0:{high}:{low}::1]"
    yield f"[2606:4700::5efe:{high}:{low}]"


def collected() -> Iterator[str]:
    yield from BASE
    for address in INSIDE:
        yield f"https://{address}:{{port}}/"
        for host in (*numeric(address), *within_six(address)):
            yield f"https://{host}:{{port}}/"
    for name in NAMES:
        yield f"https://{name}:{{port}}/"
        yield f"https://{name.upper()}.:{{port}}/"
    yield from (f"{scheme}://127.0.0.1:{{port}}/" for scheme in SCHEMES)
    yield from (f"https://rebind.example:{port}/" for port in PORTS)
    for broken in BREAKS:
        yield f"https://127.0.0.1{broken}.example.com:{{port}}/"
        yield f"https://rebind.example:{{port}}/{broken}GET / HTTP/1.1"
        yield f"https{broken}://127.0.0.1:{{port}}/"
    for inner in ("127.0.0.1:{port}", "[::1]:{port}", "rebind.example:{port}"):
        yield f"https://good.example@{inner}/"
        yield f"https://good.example:x@{inner}/"
        yield f"https://good.example%40{inner}/"
        yield f"https://{inner}\\@good.example/"
        yield f"https://good.example\\@{inner}/"
        yield f"https://good.example\\{inner}/"
        yield f"https:\\\\{inner}/"
        yield f"https:{inner}/"
        yield f"https:///{inner}/"
        yield f"//{inner}/"
        yield f"https://https://{inner}/"
    yield "https://rebind.example:{port}/" + "a" * 4096
    yield "https://" + "a." * 2000 + "example/"


HOSTILE = list(dict.fromkeys(collected()))
