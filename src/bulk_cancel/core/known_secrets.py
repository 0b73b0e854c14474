"""The credentials that this process has read, so that they are removed from texts by their value, not by a pattern.

One list for the process, and the only state in this room: a `Credential` registers itself when it is made, so that
code that writes or shows a text needs no access to it.
"""

from __future__ import annotations

import html
import re
from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import Final
from urllib.parse import unquote

BLOTTED: Final = "[credential]"
#: Number of consecutive characters of a secret that are removed as a part of it; fewer may be a word.
_PART: Final = 16
#: A secret is cut into pieces of this length: every part of `_PART` characters holds a whole piece.
_PIECE: Final = 8
#: A shorter text is not taken for a secret: other texts may contain it by chance.
_SHORTEST: Final = 8

_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|\\|&#?\w+;")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
#: Of each piece: the spellings that contain it, and where it begins in them.
_known: dict[str, list[tuple[str, int]]] = {}
#: The pieces again, as a list: a list may grow while another thread iterates over it, a dict may not.
_pieces: list[str] = []


@cache
def keep_out(secret: str) -> None:
    """Have `blotted` remove a secret from now on. One of fewer than 8 characters is ignored."""
    core = secret.rpartition(":")[2].removeprefix("rgo-")  # its kind and its id, which come first, are no secrets
    if len(core) >= _SHORTEST:
        for spelling in {core, *_in_base64(core)}:
            size = _PIECE if len(spelling) >= _PART else len(spelling)
            for start in range(0, len(spelling) - size + 1, size):
                _keep(spelling[start : start + size], spelling, start)
    elif len(secret) >= _SHORTEST:
        _keep(secret, secret, 0)


def _keep(piece: str, spelling: str, start: int) -> None:
    if piece not in _known:
        _known[piece] = []
        _pieces.append(piece)
    _known[piece].append((spelling, start))


def blotted(text: str) -> str:
    """Return a text without the known secrets, their parts of 16 characters or more, and their encodings.

    A secret in plain text or in base64 is replaced alone; a text that has one in another encoding is replaced whole.
    """
    if not is_suspicious(text):
        return text
    found = _found(text)
    if _ENCODED.search(text) and _length(_found(_decoded(text))) > _length(found):
        return BLOTTED
    for start, end in reversed(found):
        text = text[:start] + BLOTTED + text[end:]
    return text


def _length(found: list[tuple[int, int]]) -> int:
    return sum(end - start for start, end in found)


def is_suspicious(text: str) -> bool:
    """Return quickly whether a text may contain a secret; `blotted` looks closely."""
    for piece in _pieces:  # faster than any(): every text of every answer is checked
        if piece in text:
            return True
    return "%" in text or "\\" in text or "&" in text


def _found(text: str) -> list[tuple[int, int]]:
    """Return the places of the secrets, start and end, from left to right and without overlaps."""
    places = sorted(place for piece in _pieces if piece in text for place in _places(piece, text))
    found: list[tuple[int, int]] = []
    for start, end in places:
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def _places(piece: str, text: str) -> Iterator[tuple[int, int]]:
    for match in re.finditer(re.escape(piece), text):
        for spelling, offset in _known[piece]:
            start, end = _extended(text, match.start(), match.end(), spelling, offset)
            if end - start >= min(_PART, len(spelling)):
                yield start, end


def _extended(text: str, start: int, end: int, spelling: str, offset: int) -> tuple[int, int]:
    """Return the start and end of the longest match of the spelling around the place `start` to `end`."""
    after = offset + end - start
    while start and offset and text[start - 1] == spelling[offset - 1]:
        start, offset = start - 1, offset - 1
    while end < len(text) and after < len(spelling) and text[end] == spelling[after]:
        end, after = end + 1, after + 1
    return start, end


def _in_base64(secret: str) -> Iterator[str]:
    """Yield the base64 of a secret within a longer text, for each of the three offsets at which it may begin."""
    for before in range(3):
        whole = b64encode(bytes(before) + secret.encode()).decode()
        inner = whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))


def _decoded(text: str) -> str:
    return html.unescape(unquote(_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)))
