"""Parses the XML inside a zipped document (.xlsx, .ods) in bounded memory, whatever the file claims.

The bytes that are really unpacked are counted. A document type, and with it every entity, is refused; so is a tag or a
text that does not end.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EINVAL
from pathlib import Path
from xml.parsers import expat

from bulk_cancel.errors import InputError

BLOCK = 1 << 16
MAX_DIRECTORY = 1 << 20
MAX_UNPACKED = 2 << 30
MAX_RATIO = 200
RATIO_COUNTS_FROM = 128 << 20
#: Most bytes of a tag with its attributes, and the deepest nesting of tags.
MAX_TAG = 1 << 20
MAX_DEPTH = 64
#: Above the 32,767 characters that a sheet's cell holds.
MAX_TEXT = 1 << 20

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # the others need unbounded memory
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, KeyError, ValueError)


class Handler:
    """Takes the tags and texts of a document, names without their prefixes. This one ignores everything."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...

    def end(self, name: str) -> None: ...

    def text(self, data: str) -> None: ...


class _Bounded(io.FileIO):
    """A file that refuses large reads: zipfile reads the whole directory of an archive at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise zipfile.BadZipFile("its directory is too large")
        return super().read(size) or b""


@contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zipped document. Errors in the block, of the archive or its XML, become InputErrors."""
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            yield archive
    except expat.ExpatError as error:
        raise InputError(f"the workbook is damaged: {error}", advice="Save it again.") from error
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno != EINVAL:  # EINVAL: sought before the beginning of the file
            raise
        raise InputError(
            f"the file is not a readable workbook: {error}",
            advice="Save it as .xlsx (not .xls or .xlsb), without a password, or as CSV UTF-8.",
        ) from error


def parse(archive: zipfile.ZipFile, member: str, handler: Handler) -> Iterator[None]:
    """Feed a member to the handler; yield after each block so that the caller can take its results."""
    parser = _parser_for(handler)
    fed = 0
    for block in blocks(archive, member):
        parser.Parse(block, False)
        fed += len(block)
        if fed - parser.CurrentByteIndex > MAX_TAG:
            raise InputError("the workbook holds a tag that does not end")
        yield
    parser.Parse(b"", True)
    yield


def parse_all(archive: zipfile.ZipFile, member: str, handler: Handler) -> None:
    """Feed a whole member to the handler."""
    for _ in parse(archive, member, handler):
        pass


def blocks(archive: zipfile.ZipFile, member: str) -> Iterator[bytes]:
    """Yield the unpacked bytes of a member. Raises InputError for more than a real document has."""
    info = archive.getinfo(member)
    if info.compress_type not in _METHODS:
        raise InputError("the workbook is packed in a way that no office program uses")
    size = 0
    with archive.open(info) as file:
        while block := file.read(BLOCK):
            size += len(block)
            if size > MAX_UNPACKED or (size > RATIO_COUNTS_FROM and size > MAX_RATIO * max(info.compress_size, 1)):
                raise InputError(
                    f"the workbook unpacks to more than {size >> 20:,} MiB", advice="Save the sheet as CSV UTF-8."
                )
            yield block


def _parser_for(handler: Handler) -> expat.XMLParserType:
    # Always UTF-8: a document in another encoding could hide names from code that searches its bytes.
    parser = expat.ParserCreate("utf-8")
    parser.buffer_text = True
    depth = 0
    start, end = handler.start, handler.end

    def start_tag(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise InputError("the workbook has tags within tags without end")
        start(name.rpartition(":")[2] if ":" in name else name, attributes)

    def end_tag(name: str) -> None:
        nonlocal depth
        depth -= 1
        end(name.rpartition(":")[2] if ":" in name else name)

    parser.StartElementHandler = start_tag
    parser.EndElementHandler = end_tag
    parser.CharacterDataHandler = handler.text
    parser.StartDoctypeDeclHandler = _refuse_document_type
    return parser


def _refuse_document_type(*_declaration: object) -> None:
    raise InputError("the workbook declares a document type, which no office program writes")


class Texts:
    """Collects the pieces of one text."""

    __slots__ = ("_pieces", "_size")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._size = 0

    def add(self, piece: str) -> None:
        """Add a piece. Raises InputError for a text that is longer than any cell."""
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > MAX_TEXT:
            raise InputError("a cell of the workbook holds more text than a cell can")

    def take(self) -> str:
        """Return the text, and begin another."""
        text = "".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return text
