"""What every reason must conform to: a row's own, that of --reason, and one with its blanks filled in.

A reason may have 500 characters. Whether the server counts code points or, like JavaScript, UTF-16 units is not known,
so both must fit: an emoji counts twice.
"""

from __future__ import annotations

import re
from typing import Final

LONGEST_REASON: Final = 500
#: All control characters but tab and line feed. Python's and polars' regular expressions read it alike.
CONTROL: Final = r"[\x00-\x08\x0b-\x1f\x7f-\x9f]"

_CONTROL = re.compile(CONTROL)


def reason_problem(reason: str) -> str:
    """Return what is wrong with a reason, as the end of a sentence; empty when nothing is."""
    if (length := len(reason.encode("utf-16-le", "replace")) // 2) > LONGEST_REASON:
        return f"has {length} characters, at most {LONGEST_REASON} are allowed"
    return "contains control characters" if _CONTROL.search(reason) else ""
