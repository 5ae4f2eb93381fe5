"""Text that somebody outside wrote, spelled so that nothing in it hides or poses as another.

Every character that is not seen, turns the direction or only fills space is written out; words
that mix scripts or borrow letters' shapes are marked. Nothing is left out or shortened.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

_HIDING: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters and marks by their category that show as nothing, or change what stands before them.
_BLANK: Final = frozenset(
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
)
_TURNING: Final = frozenset(
    "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
_SHORT: Final = {
    "\t": "TAB", "\r": "CR", "\x1b": "ESC", "\x00": "NUL", "\x07": "BEL", "\x08": "BS",
}  # fmt: skip
# A sign, a run of spaces, a word, or what lies between.
_PIECES: Final = re.compile(rf" {{4,}}| +$|[^\W_{''.join(sorted(_BLANK))}]+|.", re.DOTALL)
_MOST_MARKS: Final = 2
_SCRIPT: Final = re.compile(
    r"(?:FULLWIDTH |MODIFIER LETTER |MATHEMATICAL )?"
    r"(LATIN|CYRILLIC|GREEK|ARMENIAN|CHEROKEE|COPTIC|HEBREW|ARABIC|HIRAGANA|KATAKANA|HANGUL|CJK"
    r"|DEVANAGARI|THAI|GEORGIAN)"
)
# Their letters look like Latin ones: a word of both is made to be misread.
_ALIKE: Final = frozenset({"Latin", "Cyrillic", "Greek", "Armenian", "Cherokee", "Coptic"})


def spell(text: str) -> SafeString:
    """Return one line of text as HTML in which everything that is there is seen."""
    return format_html_join("", "{}", ((each,) for each in _spelled(text)))


def marks_of(text: str) -> list[str]:
    """Say in words what a reader should know of a text before trusting their eyes."""
    found = []
    if any(char in _TURNING for char in text):
        found.append("turns the reading direction")
    if any(_is_hidden(char) and char not in "\n\t" and char not in _TURNING for char in text):
        found.append("holds characters that are not seen")
    words = re.findall(r"[^\W_]+", text)
    if any(_is_mixed(word) for word in words):
        found.append("mixes scripts within a word")
    if any(unicodedata.normalize("NFKC", word) != word for word in words if not word.isascii()):
        found.append("borrows the shapes of letters")
    scripts = sorted({script for word in words for script in _scripts(word)})
    if len(scripts) > 1 or (scripts and scripts != ["Latin"]):
        found.append(f"is written in {', '.join(scripts)}")
    if _PILED.search(unicodedata.normalize("NFD", text)):
        found.append("piles marks upon letters")
    return found


_PILES: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
_PILED: Final = re.compile(f"[{_PILES}]{{3,}}")


def _spelled(text: str) -> Iterator[SafeString | str]:
    piled = 0
    for piece in _PIECES.findall(text):
        piled = piled + 1 if unicodedata.combining(piece[0]) else 0
        if piece[0] == " " and (len(piece) > 3 or text.endswith(piece)):
            yield _tag("space" if len(piece) == 1 else f"{len(piece)} spaces", "blank")
        elif len(piece) == 1 and (_is_hidden(piece) or piled > _MOST_MARKS):
            yield _tag(_code(piece), unicodedata.name(piece, "control character").lower())
        elif _is_mixed(piece):
            said = " and ".join(sorted(_scripts(piece)))
            yield format_html(
                '<span class="tag tone-error tone-text" title="{}">{}</span>', said, piece
            )
        elif not piece.isascii() and unicodedata.normalize("NFKC", piece) != piece:
            yield format_html(
                '<span class="tag tone-warning tone-text" title="stands for {}">{}</span>',
                unicodedata.normalize("NFKC", piece),
                piece,
            )
        else:
            yield piece


def _tag(text: str, title: str) -> SafeString:
    return format_html(
        '<span class="tag tone-warning tone-text mono" title="{}">{}</span>', title, text
    )


def _code(char: str) -> str:
    return _SHORT.get(char, f"U+{ord(char):04X}")


@lru_cache(4096)
def _is_hidden(char: str) -> bool:
    kind = unicodedata.category(char)
    selects = 0xFE00 <= ord(char) <= 0xFE0F or 0xE0100 <= ord(char) <= 0xE01EF
    return kind in _HIDING or char in _BLANK or selects or (kind == "Zs" and char != " ")


def _is_mixed(word: str) -> bool:
    return not word.isascii() and len(_scripts(word) & _ALIKE) > 1


@lru_cache(4096)
def _scripts(word: str) -> frozenset[str]:
    named = (_SCRIPT.match(unicodedata.name(char, "")) for char in word if char.isalpha())
    return frozenset(found[1].capitalize() for found in named if found)
