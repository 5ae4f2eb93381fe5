"""Texts with something in them, and texts that only look so. None of it is anybody's."""

from __future__ import annotations

from typing import Final

OPENAI: Final = "sk-proj-" + "aB3dEf6hIj" * 5
ANTHROPIC: Final = "sk-ant-api03-" + "Zy9xWv8uTs" * 5
TOKEN: Final = (
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
KEY_BLOCK: Final = (
    "-----BEGIN RSA PRIVATE KEY-----\n" + ("MIIEpAIBAAKCAQEAx0Y2c1vZ\n" * 4)
    + "-----END RSA PRIVATE KEY-----"
)  # fmt: skip

FOUND: Final = {
    "secret": [
        OPENAI, ANTHROPIC, TOKEN, KEY_BLOCK,
        "usd_eyJ" + "2IjoxLCJraWQiOiJhIn0" * 5 + "." + "aB3_-" * 8 + "xyz",
        "usp_1CmiXTSu_aMW7LZC3gw4EJVY262tbwizdHWEyqnridTLWh06eUa9_41Gg5Y",
        "AKIA" + "IOSFODNN7EXAMPLE"[:16], "AIza" + "SyD-9tSrke72PouQMnMX-a7eZSW0jkFMBWY",
        "ghp_" + "a1B2c3D4e5" * 4, "github_pat_" + "11ABCDEFG0abcdefghijkl",
        "glpat-" + "x1Y2z3A4b5C6d7E8f9G0", "xoxb-" + "123456789012-abcdefghijkl",
        "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc", "hf_" + "abcdefghijABCDEFGHIJabcdefghijABCD",
        "npm_" + "a1B2c3D4e5F6" * 3, "SG." + "a" * 22 + "." + "b" * 43,
    ],
    "card": [
        "4111111111111111", "4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005",
        "3782 822463 10005", "6011111111111117", "2223003122003222", "3566002020360505",
        "30569309025904", "4222222222222",
    ],
    "iban": [
        "DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432",
        "FR1420041010050500013M02606", "NL91ABNA0417164300", "NO9386011117947",
    ],
    "email": ["a.b+c@example.co.uk", "o'neil@sub.example.com", "x@y.io"],
    "phone": ["+49 30 901820", "+1 415-555-0132", "+44 (20) 7946 0958", "(415) 555-0132"],
    "national_id": [
        "078-05-1120", "AB 12 34 56 C", "86095742719", "BSN: 111222333", "255081416802538",
        "12345678Z", "X1234567L", "RSSMRA85T10A562S", "44051401359", "85.07.30-033.28",
        "756.9217.0769.85", "811218-9876",
    ],
}  # fmt: skip

CLEAN: Final = [
    "123e4567-e89b-12d3-a456-426614174000",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "d41d8cd98f00b204e9800998ecf8427e",
    "order 100200300400, invoice 2026-000123, ticket #4111",
    "1732233600123 and 1732233600 and 2026-11-22T01:14:26.123456Z",
    "+2026-11-22 01:14:26 +0000",
    "@@ -1,7 +1,9 @@ def main(argv):",
    "192.168.100.200:8080 and fe80::1ff:fe23:4567:890a",
    "v1.2.3, 10.0.0.1/24, 0.4111111111111111, 4111111111111111.5",
    "git clone git@github.com:owner/repository.git",
    "@app.route('/x') and x = y@z and decorator@",
    "risk-free-task-sk-some-long-class-name-of-a-stylesheet",
    "4111111111111112, 4111 1111 1111 111, 41111111111111111111111",
    "DE89370400440532013001 and AB12 the quick brown fox jumps over the lazy dog",
    "000-12-3456 666-12-3456 900-12-3456 123-00-4567",
    "eyJub3QiOiJhIHRva2VuIn0 and eyJ.a.b",
    "AKIA is a prefix, sk- too, ghp_ as well, -----BEGIN CERTIFICATE-----\nMIIB\n",
    "555-0100, 911, 1-800-FLOWERS, 12345678901234567890",
    "Zahl 12.345.678,90 EUR; 1,234,567.89; 3.14159265358979323846",
    "commit 6a8d308f 061b623 f239e5f; sha256:5b44adee1acef0dd6798d7ef096c",
]
