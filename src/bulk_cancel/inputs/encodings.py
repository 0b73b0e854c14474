"""Which encoding a text is in. It is named by a person and never guessed: a reason is printed in mails."""

from __future__ import annotations

import codecs

from bulk_cancel.core.text import shown
from bulk_cancel.errors import InputError

#: What an office program writes that does not write UTF-8: Windows, DOS, an old Mac.
_CANDIDATES = ("cp1252", "cp850", "mac_roman", "cp1250")
_USUAL = frozenset("äöüÄÖÜßéèêëàâáçñóòôúùûíìîïåøæœÅØÆÉÈÀÇÑãõý€–„“”’‘«»°§ ")
_SAMPLE = 1 << 16
_ASCII = bytes(range(32, 127))


def likely_encoding(text: bytes) -> str:
    """Return the name of the encoding whose reading has the most letters that people write."""
    foreign = bytes(byte for byte in text[:_SAMPLE] if byte >= 0x80)
    return max(_CANDIDATES, key=lambda name: _usual_count(foreign, name))


def _usual_count(foreign: bytes, name: str) -> int:
    return sum(character in _USUAL for character in foreign.decode(name, "replace"))


def check_encoding(name: str) -> str:
    """Return the usual spelling of a text encoding's name. Raises InputError for what is none."""
    try:
        found = codecs.lookup(name)
        if found._is_text_encoding and (found.name.startswith("utf-16") or _ASCII.decode(name) == _ASCII.decode()):
            return found.name
    except (LookupError, ValueError):
        pass
    raise InputError(
        f'"{shown(name)}" is no encoding that is known', advice="Common ones: utf-8, cp1252, cp850, latin-1."
    )
