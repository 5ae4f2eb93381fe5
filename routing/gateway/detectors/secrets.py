"""Credentials by the formats their issuers gave them, so that scanners can be sure.

Owns which formats count as a secret. A word that merely looks random is none: what has no
format of its own cannot be told from an id or a hash.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Final

from kernel import keys
from routing.gateway.detectors.detector import (
    SECRET,
    Detector,
    Span,
    is_word,
    whole,
)

# No format is longer; what goes on for longer is judged by its first part.
LONGEST: Final = 16 * 1024
_FORMATS: Final = (
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}",  # Amazon
    r"AIza[0-9A-Za-z_\-]{35}",  # Google
    r"gh[pousr]_[A-Za-z0-9]{36,250}",  # GitHub
    r"github_pat_[A-Za-z0-9_]{22,250}",
    r"glpat-[A-Za-z0-9_\-]{20,250}",  # GitLab
    r"xox[abceoprs]-[A-Za-z0-9\-]{10,250}",  # Slack
    r"xapp-[0-9]-[A-Za-z0-9\-]{20,250}",
    r"[sr]k_(?:live|test)_[A-Za-z0-9]{16,250}",  # Stripe
    r"whsec_[A-Za-z0-9]{24,250}",
    r"hf_[A-Za-z]{30,40}",  # Hugging Face
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-[A-Za-z0-9_\-]{50,250}",
    r"SG\.[A-Za-z0-9_\-]{22}\.[A-Za-z0-9_\-]{43}",  # SendGrid
    r"gsk_[A-Za-z0-9]{40,60}",  # Groq
    r"xai-[A-Za-z0-9]{60,100}",
)
_PREFIXES: Final = (
    r"AKIA|ASIA|ABIA|ACCA|AIza|gh[pousr]_|github_pat_|glpat-|xox[abceoprs]-|xapp-|[sr]k_live_"
    r"|[sr]k_test_|whsec_|hf_|npm_|pypi-|SG\.|gsk_|xai-"
)


def _beginnings(*words: str) -> str:
    """Return a pattern of every proper beginning of some words."""
    pieces = {word[:length] for word in words for length in range(1, len(word))}
    return "|".join(sorted((piece.replace(".", r"\.") for piece in pieces), key=len, reverse=True))


_STARTS: Final = _beginnings(
    "AKIA", "ASIA", "ABIA", "ACCA", "AIza", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_",
    "glpat-", "xoxa-", "xoxb-", "xoxc-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-",
    "sk_live_", "rk_live_", "sk_test_", "rk_test_", "whsec_", "hf_", "npm_", "pypi-", "SG.", "gsk_",
    "xai-", "sk-", "usp_", "ust_", "usd_", "eyJ",
)  # fmt: skip
_BEGIN: Final = r"-----BEGIN [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
_END: Final = r"-----END [A-Z0-9 ]{0,24}PRIVATE KEY(?: BLOCK)?-----"
_KEY_NAME: Final = r"(?i:aws_?secret_?(?:access_?)?key|secret_?access_?key)"


def _random_enough(text: bytes, start: int, end: int) -> Iterable[Span]:
    """Tell a key from a word with hyphens: it has digits, and one long part of both."""
    said = text[start:end]
    if is_word(text, start - 1) or not any(48 <= byte <= 57 for byte in said):
        return
    if max(map(len, said.replace(b"_", b"-").split(b"-"))) >= 16:
        yield start, end


def _ours(text: bytes, start: int, end: int) -> Iterable[Span]:
    said = text[start:end].decode()
    if not is_word(text, start - 1) and keys.parse(said) is not None:
        yield start, end


def _token(text: bytes, start: int, end: int) -> Iterable[Span]:
    """Take a JSON web token: its head decodes to an object that names an algorithm."""
    parts = text[start:end].split(b".")
    if end - start > LONGEST or len(parts) < 3 or is_word(text, start - 1):
        return
    head = parts[0]
    try:
        decoded = base64.urlsafe_b64decode(head + b"=" * (-len(head) % 4))
    except (binascii.Error, ValueError):
        return
    if decoded.startswith(b"{") and b'"alg"' in decoded:
        yield start, start + len(b".".join(parts[:3]))


def _key_block(text: bytes, start: int, end: int) -> Iterable[Span]:
    yield start, min(end, start + LONGEST)


def _after_name(text: bytes, start: int, end: int) -> Iterable[Span]:
    if not is_word(text, end) and text[end : end + 1] not in {b"/", b"+"}:
        yield end - 40, end


DETECTORS: Final = (
    Detector(
        SECRET,
        "|".join(_FORMATS),
        _PREFIXES,
        rf"(?:{_STARTS})|(?:{_PREFIXES})[A-Za-z0-9_.\-]{{0,255}}",
        whole,
    ),
    Detector(
        SECRET,
        r"sk-[A-Za-z0-9_\-]{20,250}",  # OpenAI, Anthropic and those that took after them
        r"sk-[A-Za-z0-9_\-]{20}",
        r"sk-[A-Za-z0-9_\-]{0,255}",
        _random_enough,
        looks_inside=True,
    ),
    Detector(
        SECRET,
        r"us[pt]_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}",  # ours
        r"us[pt]_[0-9A-Za-z]{8}_",
        r"us[pt]_[0-9A-Za-z_]{0,64}",
        _ours,
    ),
    Detector(
        SECRET,
        r"usd_eyJ[A-Za-z0-9_\-]{20,}\.[A-Za-z0-9_\-]{43}",  # ours: a delegation
        r"usd_eyJ",
        r"usd_[A-Za-z0-9_.\-]*",
        whole,
    ),
    Detector(
        SECRET,
        r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]+\.[A-Za-z0-9_\-]*",
        r"eyJ[A-Za-z0-9_\-]{8}",
        r"eyJ[A-Za-z0-9_.\-]*",
        _token,
    ),
    Detector(
        SECRET,
        rf"{_BEGIN}[A-Za-z0-9+/=:,.\\ \t\r\n]*(?:{_END})?",
        r"-----BEGIN ",
        rf"-{{1,5}}|-----(?:{_beginnings('BEGIN ')})|-----BEGIN [A-Z0-9 ]{{0,44}}-{{0,5}}"
        rf"|{_BEGIN}[A-Za-z0-9+/=:,.\\ \t\r\n]*(?:-{{1,5}}|-----[A-Z0-9 ]{{0,50}}-{{0,4}})?",
        _key_block,
    ),
    Detector(
        SECRET,
        rf"{_KEY_NAME}[\"'\\]{{0,3}} {{0,3}}[=:] {{0,3}}[\"'\\]{{0,3}}[A-Za-z0-9/+]{{40}}",
        _KEY_NAME,
        r"(?i:aws[_a-z]{0,20}|secret[_a-z]{0,14}|s|se|sec|secr|secre)"
        r"|(?i:aws[_a-z]{3,20}|secret[_a-z]{3,14})"
        r"[\"'\\]{0,3} {0,3}[=:]? {0,3}[\"'\\]{0,3}[A-Za-z0-9/+]{0,40}",
        _after_name,
    ),
)  # fmt: skip
