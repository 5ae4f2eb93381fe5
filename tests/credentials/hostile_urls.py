"""Addresses that must lead nowhere: spellings of inside, and disagreements between parsers.

``{port}`` is where a listener on 127.0.0.1 and ::1 counts connections, and every name in
here resolves to those two, as the name server of an attacker would have it.
"""

from __future__ import annotations

_HOSTS = [
    # loopback, in every spelling some resolver or parser accepts
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "0.0.0.0.",
    "127.0.0.1.", "2130706433", "017700000001", "0x7f000001", "0x7F.1", "0x7f.0x0.0x0.0x1",
    "0177.0.0.1", "0177.0.0.01", "0177.1", "127.000.000.001", "127.0.0.1.1", "127.0.0.256",
    "00000177.00000000.00000000.00000001", "4294967295", "4294967296", "18446744073709551617",
    "127。0。0。1", "①②⑦.⓪.⓪.①", "１２７.0.0.1", "127.0.0.1%00.example.com",
    "127.0.0.1%2eexample.com", "0x", "0x.0x.0x.0x", "1e1", "0b1111111", "127.0.0.0x1", "1.0x",
    "%31%32%37.0.0.1", "127%2e0%2e0%2e1", "127.0.0.1%20", "127.0.0.1\t", "127.0.0.1\r\n",
    "localhost", "localhost.", "LOCALHOST", "localhost.localdomain", "ip6-localhost",
    "foo.localhost",
    "127.0.0.1.nip.io", "127-0-0-1.sslip.io", "localtest.me", "spoofed.burpcollaborator.net",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::127.0.0.1]", "[::7f00:1]", "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]", "[::ffff:0:127.0.0.1]", "[::1%25lo]",
    "[::1%lo]", "[::1]x", "[::1", "::1", "[::1]]", "[[::1]]", "[]", "[::g]", "[127.0.0.1]",
    "[v1.x]", "[::1%2525lo]",
    "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]", "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]", "[2002:7f00:0001::1]", "[2001:0:7f00:1::]", "[2001::1]", "[2001:10::1]",
    "[2001:20::1]", "[2001:db8::1]", "[3fff::1]", "[5f00::1]", "[fec0::1]", "[ff02::1]",
    "[fe80::1]", "[fe80::1%eth0]", "[fc00::1]", "[fd00::1]", "[fd00:ec2::254]", "[100::1]",
    "[2606:4700::5efe:127.0.0.1]", "[2606:4700::200:5efe:7f00:1]", "[2620:4f:8000::1]",
    # inside, shared, reserved, metadata
    "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.100.100.200",
    "169.254.169.254", "169.254.170.2", "192.0.0.192", "192.0.0.1", "168.63.129.16", "192.0.2.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "192.31.196.1", "192.52.193.1",
    "192.175.48.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]", "metadata.google.internal", "instance-data", "kubernetes.default.svc",
    # names that are none
    "", ".", "..", "-a.example", "a-.example", "a..example", ".example", "example..", "a_b.example",
    "exa mple.com", "exämple.com", "例え.jp", "a" * 64 + ".example", "a." * 130 + "com",
    "*.example",
    "example.com\\@127.0.0.1", "example.com\\.127.0.0.1", "(127.0.0.1)", "127.0.0.1,example.com",
    "example.com;127.0.0.1", "$(id).example", "a,b.example", "example.com'", "~example.com",
    "example", "intranet", "router", "xn--", "xn--/",
]  # fmt: skip
_WHOLE = [
    "http://example.com:{port}/", "HTTP://127.0.0.1:{port}/", "ftp://127.0.0.1:{port}/",
    "file:///etc/passwd", "gopher://127.0.0.1:{port}/_x", "dict://127.0.0.1:{port}/d",
    "ldap://127.0.0.1:{port}/", "jar:http://127.0.0.1:{port}!/", "data:text/plain,x",
    "javascript:alert(1)", "ws://127.0.0.1:{port}/", "unix:/run/x.sock", "//127.0.0.1:{port}/",
    "/etc/passwd", "", " ", "https:", "https:/", "https://", "https:///127.0.0.1:{port}/",
    "https:127.0.0.1:{port}", "https:/127.0.0.1:{port}/", "https:\\\\127.0.0.1:{port}\\",
    "https://example.com:{port}@127.0.0.1:{port}/", "https://user@127.0.0.1:{port}/",
    "https://user:pw@example.com:{port}/", "https://@127.0.0.1:{port}/", "https://:@127.0.0.1/",
    "https://127.0.0.1:{port}\\@example.com/", "https://example.com\\@127.0.0.1:{port}/",
    "https://example.com#@127.0.0.1:{port}/", "https://127.0.0.1:{port}#@example.com/",
    "https://127.0.0.1:{port}?@example.com/", "https://example.com?@127.0.0.1:{port}/",
    "https://127.0.0.1:{port}#", "https://example.com:{port}/#fragment",
    "https://example.com%40127.0.0.1:{port}/", "https://example.com%2f@127.0.0.1:{port}/",
    "https://example.com:{port}:80/", "https://127.0.0.1:{port}:443/", "https://example.com:/",
    "https://example.com:0/", "https://example.com:00443/", "https://example.com:65536/",
    "https://example.com:-1/", "https://example.com:+443/", "https://example.com:443 /",
    "https://example.com:４４３/", "https://example.com:0x1bb/", "https://example.com:22/",
    "https://example.com:6379/", "https://example.com:25/", "https://example.com:443a/",
    " https://127.0.0.1:{port}/", "https://127.0.0.1:{port}/ ", "\thttps://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/\r\nHost: x", "https://127.0.0.1:{port}/\x00", "ht\ntps://127.0.0.1/",
    "https://127.0.0.1\n:{port}/", "https://exam\tple.com:{port}/", "https://127.0.0.1:{port}/%zz",
    "https://example.com:{port}/\u2028", "https://127.0.0.1:{port}/ü", "https://[::1]:{port}@x/",
    "https://[::1]x:{port}/", "https://x[::1]:{port}/", "https://[::1]:{port}:1/",
    "https://example.com:{port}/[", "https://example.com:{port}/a]b", "https://example.com/a|b",
    "https://example.com:{port}/<x>", "https://example.com:{port}/{{x}}", "https://exa`mple.com/",
    "https://" + "a" * 3000 + ".example/", "https://example.com/" + "a" * 3000,
    "url:https://127.0.0.1:{port}/", "https;//127.0.0.1:{port}/", "https//127.0.0.1:{port}/",
    "https://https://127.0.0.1:{port}/", "https://127.0.0.1:{port}/https://example.com@",
    "\u202ehttps://127.0.0.1:{port}/", "ｈttps://127.0.0.1:{port}/", "https：//127.0.0.1:{port}/",
]  # fmt: skip

HOSTILE = [f"https://{host}:{{port}}/" for host in _HOSTS] + _WHOLE
