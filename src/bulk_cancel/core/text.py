"""Text from elsewhere, made fit for logs, ledgers and terminals."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
_ADDRESSES = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_TOKENS = re.compile(r"(?:rgo-|ak_live:|Bearer )[^\s\"',;]+")


def clean(text: str, longest: int = 200) -> str:
    """Return one short line without control characters, terminal escapes, mail addresses or credentials."""
    text = _CONTROLS.sub(" ", _ESCAPES.sub("", text[: longest * 8]))
    text = _ADDRESSES.sub("[address]", _TOKENS.sub("[credential]", text)).strip()
    return text if len(text) <= longest else text[: longest - 1] + "…"
