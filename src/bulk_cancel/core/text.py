"""Text from elsewhere, made fit for logs, ledgers, terminals, pages and spreadsheets."""

from __future__ import annotations

import re
from typing import Final

from bulk_cancel.core.known_secrets import BLOTTED, blotted, is_suspicious

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
#: Characters that change the direction of text, or are invisible.
_UNSEEN = r"\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0"
#: Control characters, invisible ones, tags, and halves of surrogate pairs, which UTF-8 cannot encode.
_CONTROLS = re.compile(rf"[\x00-\x1f\x7f-\x9f{_UNSEEN}\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]+")
_CONTROL = re.compile(_CONTROLS.pattern.removesuffix("+"))
_ADDRESSES = re.compile(r"[^\s@<>\"'(),;:]+@[^\s@<>\"'(),;:]+")
_TOKENS = re.compile(r"(?:(?<!meete)rgo-|ak_[a-z]+:|Bearer )[^\s\"',;]+")
#: A text without any of these contains neither an address nor a token.
_SUSPICIOUS = re.compile(r"@|rgo-|ak_|Bearer ")

#: Where a formula would begin in a cell of a spreadsheet: at its beginning, or after a character that a program may
#: take for the beginning of another cell. Python's and polars' regular expressions read it alike.
FORMULA: Final = r"""((?:^|[;,|\t\r\n])[ \t\r\n"]*)([=+\-@＝＋－＠])"""
_FORMULA = re.compile(FORMULA)

#: An error of a sheet, as Excel and LibreOffice show it in any language: #N/A, #NV, #REF!, #BEZUG!, #NAME?, Err:502.
SHEET_ERROR: Final = r"^(#[¡¿]?[\p{Lu}0/_ ]+[!?]|#N/[A-Z]|#NV|#GETTING_DATA|Err:[0-9]{3})$"
_SHEET_ERROR = re.compile(SHEET_ERROR.replace(r"\p{Lu}", "A-ZÀ-ÖØ-ÞĀ-Ž"))
#: A text as Excel writes it so that it is not read as a number: ="007".
FORMULA_TEXT: Final = r'^="(.*)"$'
_FORMULA_TEXT = re.compile(FORMULA_TEXT)

_LONGEST_SHOWN = 80
_HANDFUL = 5


def clean(text: str, longest: int = 200) -> str:
    """Return one short line without control characters, terminal escapes, mail addresses or credentials."""
    if len(text) <= longest and text.isascii() and text.isprintable() and not _is_suspicious(text):
        return text.strip()
    text = text[: longest * 8]
    joined = _CONTROLS.sub("", _ESCAPES.sub("", text))  # a credential may come in parts
    text = redact(joined.strip() if without_credentials(joined) != joined else one_line(text))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _is_suspicious(text: str) -> bool:
    return _SUSPICIOUS.search(text) is not None or is_suspicious(text)


def redact(text: str) -> str:
    """Replace credentials, known by value or by pattern, and what looks like a mail address."""
    return _ADDRESSES.sub("[address]", without_credentials(text))


def without_credentials(text: str) -> str:
    """Replace credentials, known by value or by pattern."""
    return _TOKENS.sub(BLOTTED, blotted(text))


def one_line(text: str) -> str:
    """Remove control characters and terminal escapes, and nothing else."""
    return _CONTROLS.sub(" ", _ESCAPES.sub("", text)).strip()


def printable(text: str, longest: int = 4000) -> str:
    """Return a message of one or more lines, shortened, without control characters and terminal escapes."""
    text = _CONTROL.sub(_but_lines, _ESCAPES.sub("", text[: longest * 2]))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _but_lines(found: re.Match[str]) -> str:
    return found[0] if found[0] in "\n\t" else " "


def shown(text: str, longest: int = _LONGEST_SHOWN) -> str:
    """Return a text for a message about it: invisible characters as escapes, and shortened."""
    more = "…" if len(text) > longest else ""
    return _CONTROL.sub(_escaped, text[:longest]) + more


def _escaped(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def harmless(text: str) -> str:
    """Return the text of a cell with an apostrophe where a spreadsheet would take it for a formula."""
    return _FORMULA.sub(r"\1'\2", text)


def is_sheet_error(text: str) -> bool:
    """Return whether a value is an error as a spreadsheet shows it, like #N/A."""
    return _SHEET_ERROR.match(text) is not None


def unwrapped(text: str) -> str:
    """Return the text inside a formula that is only a text, ="007"; any other text as it is."""
    return _FORMULA_TEXT.sub(r"\1", text)


def counted(count: int, one: str, many: str = "") -> str:
    """Return a number with its noun: `1 row`, `1,234 rows`. Without `many` the plural is made with an s."""
    return f"1 {one}" if count == 1 else f"{count:,} {many or f'{one}s'}"


def are_most(count: int, total: int) -> bool:
    """Return whether so many of them are hardly meant: more than half, and not of a handful."""
    return total >= _HANDFUL and count * 2 > total


def stripped(value: str) -> str:
    """Remove the white space and quotes around a value, which often are copied with it."""
    return value.strip().strip("\"'").strip()
