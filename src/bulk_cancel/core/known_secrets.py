"""The credentials that this process has read, so that texts are freed of them by their value and not by their spelling.

One list for the process, and the only state in this room: a credential is known from the moment it is made, and
nothing that is written or shown needs to be handed it.
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
#: Number of characters of a secret in a row that are blotted out as a part of it; fewer may be a word.
_PART: Final = 16
#: Every such part holds one of the pieces into which the secret is cut, whole.
_PIECE: Final = 8
#: A shorter one is none, and a text may well have its characters.
_SHORTEST: Final = 8

_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|\\|&#?\w+;")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|(.))", re.DOTALL)
#: Of every piece the spellings that have it, and where in them it begins.
_known: dict[str, list[tuple[str, int]]] = {}
#: The pieces once more: a list may grow while another thread looks through it.
_pieces: list[str] = []


@cache
def keep_out(secret: str) -> None:
    """Blot a secret out of all texts from now on. One of fewer than 8 characters is none."""
    core = secret.rpartition(":")[2].removeprefix("rgo-")  # before it stand its kind and an id, which are none
    if len(core) >= _SHORTEST:
        for spelling in {core, *_in_base64(core)}:
            size = _PIECE if len(spelling) >= _PART else len(spelling)
            for start in range(0, len(spelling) - size + 1, size):
                _keep(spelling[start : start + size], spelling, start)
    elif len(secret) >= _SHORTEST:
        _keep(secret, secret, 0)


def _keep(piece: str, spelling: str, start: int) -> None:
    _known.setdefault(piece, []).append((spelling, start))
    _pieces.append(piece)


def blotted(text: str) -> str:
    """Return a text without the secrets that are known, their parts of 16 characters and more, and their encodings.

    Where one is found as it is, or in base64, it alone is taken out; a text that has it in another encoding goes whole.
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
    """Tell, fast, whether `blotted` has to look at a text."""
    for piece in _pieces:  # a loop: every text of every answer comes by
        if piece in text:
            return True
    return "%" in text or "\\" in text or "&" in text


def _found(text: str) -> list[tuple[int, int]]:
    """Return where the secrets are, from left to right, each place once."""
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
    """Return how far the text goes on as the spelling does, to both sides."""
    after = offset + end - start
    while start and offset and text[start - 1] == spelling[offset - 1]:
        start, offset = start - 1, offset - 1
    while end < len(text) and after < len(spelling) and text[end] == spelling[after]:
        end, after = end + 1, after + 1
    return start, end


def _in_base64(secret: str) -> Iterator[str]:
    """Yield what base64 makes of a secret within a longer text: three ways, by where in it the secret begins."""
    for before in range(3):
        whole = b64encode(bytes(before) + secret.encode()).decode()
        inner = whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))


def _decoded(text: str) -> str:
    return html.unescape(unquote(_ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else found[2], text)))
