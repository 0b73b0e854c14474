"""Text from elsewhere, made fit for logs, ledgers and terminals."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
#: Controls, what turns or hides text, and halves of surrogate pairs, which no file or database takes as UTF-8.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]+")
_ADDRESSES = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_TOKENS = re.compile(r"(?:(?<!meete)rgo-|ak_[a-z]+:|Bearer )[^\s\"',;]+")
#: Without one of these there is neither an address nor a token in a text.
_SUSPICIOUS = re.compile(r"@|rgo-|ak_|Bearer ")


def clean(text: str, longest: int = 200) -> str:
    """Return one short line without control characters, terminal escapes, mail addresses or credentials."""
    if len(text) <= longest and text.isascii() and text.isprintable() and not _SUSPICIOUS.search(text):
        return text.strip()
    text = redact(one_line(text[: longest * 8]))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def redact(text: str) -> str:
    """Replace what looks like a credential or a mail address."""
    return _ADDRESSES.sub("[address]", _TOKENS.sub("[credential]", text))


def one_line(text: str) -> str:
    """Remove control characters and terminal escapes, and nothing else."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()


def stripped(value: str) -> str:
    """Remove white space and stray quotes, as they come with copying."""
    return value.strip().strip("\"'").strip()
