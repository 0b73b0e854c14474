"""The check of a delimited text before polars reads it: one pass over the bytes, in constant memory.

polars fills short rows silently, guesses where a stray quote ends and takes a lone CR for text. So every record is
checked here first. Well-formed quoted fields are replaced by a letter, and the rest is reduced to its separators and
line ends ("skeleton"). A regular skeleton needs no further check; otherwise the fields of each record are counted, and
any remaining quote or line end is an error.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bulk_cancel.errors import InputError
from bulk_cancel.inputs.csv_header import Layout, nul_refused
from bulk_cancel.inputs.encodings import likely_encoding

MAX_RECORD = 16 << 20
MAX_RAGGED = 100_000


@dataclass(frozen=True, slots=True)
class Records:
    """The result of the check."""

    last_row: int  #: number of the last record, blank ones included
    ragged_rows: array[int]  #: row numbers of records with too few or too many fields
    ragged_fields: array[int]  #: number of fields of each of them


def check_records(blocks: Iterable[bytes], layout: Layout, needed: int) -> Records:
    """Check every record from the header on. Raises InputError for an error after which no row can be trusted.

    `needed` is the least number of fields of a record: the columns after them mean nothing and may be missing.
    """
    check = _RecordCheck(layout, needed)
    for piece in _whole_records(blocks, layout.line_end.encode()):
        check.take(piece)
    return check.found()


def _whole_records(blocks: Iterable[bytes], line_end: bytes) -> Iterator[bytes]:
    """Yield pieces of whole records: each ends at a line end with an even number of quotes before it.

    After a stray quote the cuts are wrong, but the piece with the quote is refused. A piece that grows too long
    without a cut is handed on as it is, since it is refused, too.
    """
    rest = b""
    for block in blocks:
        rest += block
        end = _last_record_end(rest, line_end)
        if end or len(rest) > MAX_RECORD:
            end = end or len(rest)
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest if rest.endswith(line_end) else rest + line_end


def _last_record_end(text: bytes, line_end: bytes) -> int:
    """Return the position after the last line end with an even number of quotes before it, or 0."""
    quotes_before, end = text.count(b'"'), len(text)
    while (newline := text.rfind(line_end, 0, end)) >= 0:
        quotes_before -= text.count(b'"', newline, end)
        if quotes_before % 2 == 0:
            return newline + 1
        end = newline
    return 0


class _RecordCheck:
    def __init__(self, layout: Layout, needed: int) -> None:
        self.layout, self.needed = layout, needed
        self.records = layout.header_row - 1  # with those before the header
        self.lines = layout.header_line - 1  # physical ones, of the pieces before
        self.rows, self.fields = array("q"), array("q")
        self.separator, self.line_end = layout.separator.encode(), layout.line_end.encode()
        self.dropped = bytes(set(range(256)) - set(self.separator + b'\r\n"'))  # every byte but those of a skeleton
        separators = self.separator * (len(layout.columns) - 1)
        unix = self.line_end == b"\n"
        # The skeletons of a record with the right number of fields.
        self.regular: tuple[bytes, ...] = (separators + b"\n", separators + b"\r\n") if unix else (separators + b"\r",)
        ends = re.escape(self.separator) + (rb"\r\n" if unix else rb"\r")
        starts = re.escape(self.separator + self.line_end)
        # Possessive, so that an open quote costs one pass, not one for each later quote.
        pattern = rb'"(?<![^%s]")[^"]*+(?:""[^"]*+)*+"(?=[%s])' % (starts, ends)
        self.quoted = re.compile(pattern)
        formula = rb'=(?<![^%s]=)"[^"\r\n%s]*+"(?=[%s])' % (starts, re.escape(self.separator), ends)
        # Also ="007", as Excel writes a number that is a text.
        self.also_formulas = re.compile(pattern + b"|" + formula)

    def take(self, piece: bytes) -> None:
        self._refuse_wrong_bytes(piece)
        if b'="' in piece:
            self.quoted = self.also_formulas
        outside = self.quoted.sub(b"q", piece) if b'"' in piece else piece
        skeleton = outside.translate(None, self.dropped)
        if not (piece.endswith(self.line_end) and self._is_regular(skeleton)):
            self._refuse_stray(piece, outside)
            self._refuse_endless(piece)
            self._note_ragged(piece)
        records = skeleton.count(self.line_end)
        self.records += records
        self.lines += records if outside is piece else piece.count(self.line_end)

    def found(self) -> Records:
        return Records(self.records, self.rows, self.fields)

    def _is_regular(self, skeleton: bytes) -> bool:
        return any(skeleton == one * (len(skeleton) // len(one)) for one in self.regular)

    def _line_of(self, piece: bytes, position: int) -> int:
        return self.lines + piece.count(self.line_end, 0, position) + 1

    def _refuse_wrong_bytes(self, piece: bytes) -> None:
        if (position := piece.find(b"\0")) >= 0:
            raise nul_refused(self._line_of(piece, position))
        if piece.isascii():
            return
        try:
            piece.decode()
        except UnicodeDecodeError as error:
            name = likely_encoding(piece)
            raise InputError(
                f"line {self._line_of(piece, error.start)} is not UTF-8 text (byte 0x{piece[error.start]:02X})",
                advice=f"It looks like {name}: add --encoding {name} and check the umlauts and accents in the plan, or "
                'save the file as UTF-8 (in Excel "CSV UTF-8").',
            ) from None

    def _refuse_stray(self, piece: bytes, outside: bytes) -> None:
        if b'"' in outside:
            self._refuse_quote(piece)
        unix = self.line_end == b"\n"
        stray = re.search(rb"\r(?!\n)" if unix else rb"\n", self._blanked(piece))
        if stray:
            name = "lone carriage return" if unix else "line feed"
            raise InputError(
                f"line {self._line_of(piece, stray.start())} holds a {name}, other lines end differently",
                advice="Save the file with one kind of line end.",
            )

    def _refuse_quote(self, piece: bytes) -> None:
        position = self._blanked(piece).index(b'"')
        line = self._line_of(piece, position)
        before = piece[position - 1 : position] if position else self.line_end
        if before in (self.separator, self.line_end):
            raise InputError(
                f"a quote is opened on line {line} and not closed before the field ends",
                advice="Close it; a quote inside a quoted field is written twice.",
            )
        raise InputError(
            f"line {line} has a quote inside a field that does not begin with one",
            advice='Put the whole field in quotes and write the inner quote twice: "5"" pipe".',
        )

    def _refuse_endless(self, piece: bytes) -> None:
        if not piece.endswith(self.line_end):
            raise InputError(f"the record on line {self.lines + 1} is longer than {MAX_RECORD >> 20} MiB")

    def _blanked(self, piece: bytes) -> bytes:
        """Replace quoted fields by as many letters, so that positions do not change."""
        return self.quoted.sub(lambda match: b"q" * len(match[0]), piece)

    def _note_ragged(self, piece: bytes) -> None:
        """Note records that lack a needed field, or have more fields than the header that are not blank.

        Spreadsheets may leave out the last separators of a row, or add some.
        """
        expected = len(self.layout.columns)
        outside = self.quoted.sub(lambda match: b"" if match[0] == b'""' else b"q", piece)
        first_row = self.records + 1
        for row, record in enumerate(outside.split(self.line_end)[:-1], first_row):
            fields = record.count(self.separator) + 1
            if self.needed <= fields <= expected or not record.strip():
                continue
            if fields > expected and not b"".join(record.split(self.separator)[expected:]).strip():
                continue
            self.rows.append(row)
            self.fields.append(fields)
        if len(self.rows) > MAX_RAGGED:
            raise InputError(
                f"more than {MAX_RAGGED:,} rows do not have {expected} fields like the header, the first is row "
                f"{self.rows[0]:,} with {self.fields[0]}",
                advice="Is the separator in the header another one than in the rows?",
            )
