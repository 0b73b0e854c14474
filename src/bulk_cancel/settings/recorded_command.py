"""A command as it is recorded and shown to be typed again: whole, on one line, and without secrets.

Secrets are known by value (what a variable like `…_TOKEN` holds, and what looks like a credential) and by option
(`--…token`, `password=` in an address). `***` takes their place.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from bulk_cancel.core.known_secrets import BLOTTED
from bulk_cancel.core.text import without_credentials
from bulk_cancel.settings.job import SECRET_SETTINGS, setting_variables

HIDDEN: Final = "***"

_TELLING_WORDS = r"token|password|passwd|secret|api_?key|credential"
_SECRET_NAME = re.compile(rf"(?:{_TELLING_WORDS})(?!.*_(?:FILE|DIRECTORY)$)", re.IGNORECASE)
_SECRET_OPTION = re.compile(rf"--[\w-]*(?:{_TELLING_WORDS.replace('_?', '-?')})", re.IGNORECASE)
_SECRET_PART = re.compile(rf"((?:^|[?&\s-])[\w-]*(?:{_TELLING_WORDS.replace('_?', '[-_]?')})=)[^&\s]+", re.IGNORECASE)
_PASSWORD = re.compile(r"(\w+://[^/\s:@]*:)[^/\s]+@")
#: A shorter value is not taken for a secret: other words may contain it by chance.
_SHORTEST_SECRET = 6
#: Variables of the official client that decide what a command does.
_CLIENTS = ("MEETERGO_API_URL", "MEETERGO_USER_ID")


def recorded_command(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return a command of this program, with the variables before it that hold settings; empty without arguments."""
    if not arguments:
        return ""
    secrets = sorted(_secrets(environ), key=len, reverse=True)
    names = sorted({*setting_variables(), *_CLIENTS}.intersection(environ) - SECRET_SETTINGS)
    settings = (f"{name}={_quoted(_hidden(environ[name], secrets))}" for name in names if environ[name])
    return " ".join((*settings, "bulk-cancel", *map(_quoted, _words(arguments, secrets))))


def _secrets(environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if _SECRET_NAME.search(name) and len(value.strip()) >= _SHORTEST_SECRET:
            yield value.strip()


def _words(arguments: Sequence[str], secrets: Sequence[str]) -> Iterator[str]:
    before = ""
    for word in arguments:
        yield HIDDEN if _SECRET_OPTION.fullmatch(before) else _hidden(word, secrets)
        before = word


def _hidden(text: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    text = _PASSWORD.sub(rf"\g<1>{HIDDEN}@", text)
    return without_credentials(_SECRET_PART.sub(rf"\g<1>{HIDDEN}", text)).replace(BLOTTED, HIDDEN)


def _quoted(word: str) -> str:
    """Quote a word for a shell; invisible characters and line breaks as bash, zsh and ksh write them."""
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    if character in "'\\":
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as Python represents it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
