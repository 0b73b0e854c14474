"""Encodings of texts. A person names the encoding; it is never guessed, since reasons are mailed."""

from __future__ import annotations

import codecs

from bulk_cancel.core.text import shown
from bulk_cancel.errors import InputError

#: Encodings of office programs that do not write UTF-8: Windows, DOS, old Macs.
_CANDIDATES = ("cp1252", "cp850", "mac_roman", "cp1250")
_USUAL = frozenset("äöüÄÖÜßéèêëàâáçñóòôúùûíìîïåøæœÅØÆÉÈÀÇÑãõý€–„“”’‘«»°§ ")
_SAMPLE = 1 << 16
_ASCII = bytes(range(32, 127))


def likely_encoding(text: bytes) -> str:
    """Return the encoding that gives the most usual letters, for advice in an error."""
    foreign = bytes(byte for byte in text[:_SAMPLE] if byte >= 0x80)
    return max(_CANDIDATES, key=lambda name: _usual_count(foreign, name))


def _usual_count(foreign: bytes, name: str) -> int:
    return sum(character in _USUAL for character in foreign.decode(name, "replace"))


def check_encoding(name: str) -> str:
    """Return the canonical name of a text encoding. Raises InputError for an unknown one."""
    try:
        found = codecs.lookup(name)
        if found._is_text_encoding and (found.name.startswith("utf-16") or _ASCII.decode(name) == _ASCII.decode()):
            return found.name
    except (LookupError, ValueError):
        pass
    raise InputError(f'"{shown(name)}" is not a known encoding', advice="Common ones: utf-8, cp1252, cp850, latin-1.")
