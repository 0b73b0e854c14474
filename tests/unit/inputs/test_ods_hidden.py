"""Rows of an .ods document that nobody sees: in a group that is shut, or without height."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from bulk_cancel.errors import InputError

_NAMES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text", "style")
)
_SHUT, _OPEN, _END = (
    '<table:table-row-group table:display="false">',
    "<table:table-row-group>",
    "</table:table-row-group>",
)
_FLAT = ' table:style-name="flat"'


def _row(text: str, more: str = "") -> str:
    cell = f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
    return f"<table:table-row{more}>{cell}</table:table-row>"


def _ods(path: Path, body: str, height: str = "0cm") -> Path:
    style = (
        '<style:style style:name="flat" style:family="table-row">'
        f'<style:table-row-properties style:row-height="{height}"/></style:style>'
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr(
            "content.xml",
            f"<office:document-content {_NAMES}><office:automatic-styles>{style}</office:automatic-styles>"
            f'<office:body><office:spreadsheet><table:table table:name="S">{_row("appointment_id")}{body}'
            "</table:table></office:spreadsheet></office:body></office:document-content>",
        )
    return path


def test_rows_in_a_group_that_is_shut_are_hidden(staging: Any, tmp_path: Path, uuid: Any) -> None:
    body = _row(uuid(1)) + _SHUT + _OPEN + _row(uuid(2)) + _END + _row(uuid(3)) + _END + _row(uuid(4))
    with pytest.raises(InputError, match="2 rows are hidden in the sheet"):
        staging.rows(_ods(tmp_path / "a.ods", body))


def test_rows_without_height_are_hidden(staging: Any, tmp_path: Path, uuid: Any) -> None:
    body = _row(uuid(1)) + _row(uuid(2), _FLAT)
    with pytest.raises(InputError, match="1 row is hidden in the sheet"):
        staging.rows(_ods(tmp_path / "a.ods", body))
    assert len(staging.rows(_ods(tmp_path / "b.ods", body, "0.05cm"))) == 2
    assert len(staging.rows(_ods(tmp_path / "c.ods", _OPEN + body.replace(_FLAT, "") + _END))) == 2
