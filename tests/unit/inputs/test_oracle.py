"""Generated tables against a plain oracle: the csv module, re and dictionaries."""

from __future__ import annotations

import csv
import io
import re
import unicodedata

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from bulk_cancel.core.model import InputRow
from bulk_cancel.inputs.yes_no import NO, YES
from support.examples import examples

COLUMNS = ["id", "note", "reason", "attendee_id", "cancel_all", "cancel_entire_series", "user_id"]
UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
END = "; nothing is sent for either until one is removed"

ids = st.integers(1, 3).map("3F2b8c1e-0000-4000-8000-{:012x}".format)
text = st.text(
    st.sampled_from('aZ0é😀 \t\n",;-_\u00a0\x07\u2028\u200b{}')
    | st.characters(codec="utf-8", categories=["L", "N", "P"]),
    max_size=12,
)
padded = st.builds("{}{}{}".format, st.sampled_from(["", " ", "\t"]), ids, st.sampled_from(["", " ", "\u00a0"]))
wrong = ids.map(lambda value: value[:-1]) | text
flags = st.sampled_from(["", "", "", "yes", "TRUE", "1", "no", "False ", "0", "maybe"])
reasons = text | st.builds(lambda unit, count: unit * count, st.sampled_from("a😀é"), st.integers(248, 502))
row = st.tuples(
    st.one_of(ids, ids, ids, padded, wrong),
    text,
    reasons,
    st.one_of(st.just(""), st.just(""), ids, wrong),
    flags,
    flags,
    st.one_of(st.just(""), st.just(""), ids, wrong),
)
tables = st.lists(
    st.one_of(row, row, row, st.just(("",) * 7), row.map(lambda cells: cells[:5])), min_size=1, max_size=12
)


def shown(value):
    short = "".join(escaped(c) if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") else c for c in value[:40])
    return f'"{short}…"' if len(value) > 40 else f'"{short}"'


def escaped(character):
    return f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"


def bare(value):
    return "".join(c for c in value if unicodedata.category(c) != "Cf").strip(" \t\u00a0\u2007\u202f\u3000")


def canonical(value):
    """Return an id in its usual form, where the generated padding hides it."""
    found = re.fullmatch(rf"['\"\\s]*[{{(]?({UUID.pattern})[)}}]?['\"\\s]*", bare(value))
    return found[1] if found else bare(value)


def problems_of(cells, fields):
    """Yield every reason why one row is invalid."""
    appointment, reason, attendee, cancel_all, series, user = cells
    if len(fields) != len(COLUMNS):
        yield f"row has {len(fields)} fields, the header has {len(COLUMNS)}"
    if not appointment:
        yield "appointment_id is empty"
    for name, value in (("appointment_id", appointment), ("attendee_id", attendee), ("user_id", user)):
        if value and not UUID.fullmatch(value):
            yield f"{name} is not a UUID: {shown(value)}"
    units = len(reason.encode("utf-16-le")) // 2
    if len(reason) > 500:
        yield f"reason has {len(reason)} characters, at most 500 are allowed"
    elif units > 500:
        yield f"reason has {len(reason)} characters that count as {units}, at most 500 are allowed"
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in reason):
        yield "reason contains control characters"
    yield from flag_problems(attendee, cancel_all, series)


def flag_problems(attendee, cancel_all, series):
    for name, value in (("cancel_all", cancel_all), ("cancel_entire_series", series)):
        if value.lower() not in ("", *YES, *NO):
            yield f"{name} is not a yes/no value: {shown(value)}"
    if attendee and yes(cancel_all):
        yield "attendee_id and cancel_all contradict each other"
    if yes(series) and attendee:
        yield "cancel_entire_series and attendee_id contradict each other"
    if yes(series) and yes(cancel_all):
        yield "cancel_entire_series and cancel_all contradict each other"


def yes(word):
    return word.lower() in YES


def judged(number, fields, cancel_all_default, reason_default):
    """Return one row as if it were the only one."""
    padded_fields = (fields + [""] * len(COLUMNS))[: len(COLUMNS)]
    appointment, _, reason, *others = padded_fields
    attendee, user = canonical(others[0]), canonical(others[3])
    cancel_all, series = bare(others[1]), bare(others[2])
    cells = (canonical(appointment), reason.strip(), attendee, cancel_all, series, user)
    if found := list(problems_of(cells, fields)):
        return InputRow(number, None, None, False, False, None, None, None, "; ".join(found))
    says_nothing = not (cancel_all or attendee or yes(series))
    return InputRow(
        row=number,
        appointment_id=cells[0].lower(),
        attendee_id=attendee.lower() or None,
        entire_series=yes(series),
        cancel_all=yes(cancel_all) or (says_nothing and cancel_all_default),
        reason=cells[1] or reason_default,
        user_id=user.lower() or None,
        first_row=number,
        problems=None,
        reason_given=not cells[1] and reason_default is not None,
    )


def scope_of(one):
    return "series" if one.entire_series else "attendee" if one.attendee_id else "whole"


def compared(rows):
    """Return the rows as they are beside each other."""
    valid = [one for one in rows if one.problems is None]
    for one in rows:
        if one.problems is not None:
            yield one
            continue
        siblings = [other for other in valid if other.appointment_id == one.appointment_id]
        others = [other for other in siblings if scope_of(other) != scope_of(one)]
        same = [other for other in siblings if other[1:4] == one[1:4]]
        differing = [other for other in same if (other.cancel_all, other.user_id) != (one.cancel_all, one.user_id)]
        found = []
        if others:
            other = others[0]
            found.append(f"row {other.row} names the same appointment with another scope ({scope_of(other)}){END}")
        if differing:
            use = "cancel_all" if differing[0].cancel_all != one.cancel_all else "user_id"
            found.append(f"row {differing[0].row} names the same target with another {use}{END}")
        if found:
            yield InputRow(one.row, None, None, False, False, None, None, None, "; ".join(found))
        else:
            yield one._replace(first_row=same[0].row)


def oracle(content, separator, cancel_all_default, reason_default):
    lines = enumerate(csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True), 1)
    next(lines)
    filled = [(number, fields) for number, fields in lines if any(cell.strip() for cell in fields)]
    return list(compared([judged(*one, cancel_all_default, reason_default) for one in filled]))


@examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=tables.filter(lambda rows: any(any(cell.strip() for cell in cells) for cells in rows)),
    end=st.sampled_from(["\n", "\r\n"]),
    separator=st.sampled_from(",;\t"),
    default_cancel_all=st.booleans(),
    default_reason=st.sampled_from(["", "closed"]),
)
def test_rows_are_read_as_the_oracle_reads_them(staging, table, end, separator, default_cancel_all, default_reason):
    out = io.StringIO()
    csv.writer(out, lineterminator=end, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([COLUMNS, *table])
    content = out.getvalue()
    path = staging.file("input.csv", content)
    rows = staging.rows(path, cancel_all=default_cancel_all, default_reason=default_reason)

    assert rows == oracle(content, separator, default_cancel_all, default_reason or None)
