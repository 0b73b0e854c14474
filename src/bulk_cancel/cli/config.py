"""`config show`: parse, call, render to stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bulk_cancel.access.setup import set_up
from bulk_cancel.cli.stdout import errors_told, put_document, this_machine
from bulk_cancel.cli.terminal import Terminal, styled
from bulk_cancel.commands.config import Origin, Setting, settings_shown
from bulk_cancel.core.text import clean
from bulk_cancel.ops.logs import make_log
from bulk_cancel.settings.job import load_job


def show_command(source: str, **flags: Any) -> None:
    """Show each setting, its value and where it came from."""
    with errors_told(as_json=flags["json"]):
        job = load_job(source, flags)
        setup = set_up(job, make_log(quiet=True), this_machine())
        settings = settings_shown(setup, source, flags)
    if job.json_:
        put_document({"source": source, "settings": {item.name: _document(item) for item in settings}})
    else:
        _show(Terminal(), settings)


def _document(setting: Setting) -> dict[str, Any]:
    told = {"value": setting.value, "from": setting.origin.value, "where": setting.where or None}
    return {**told, "unit": setting.unit} if setting.unit else told


def _show(terminal: Terminal, settings: list[Setting]) -> None:
    rows = [("setting", "from", "value")]
    for setting in settings:
        cells = (setting.name, clean(f"{setting.origin} {setting.where}".strip(), 300), _text(setting))
        dim = setting.origin is Origin.DEFAULT
        rows.append((styled(cells[0], "dim"), styled(cells[1], "dim"), styled(cells[2], "dim")) if dim else cells)
    terminal.print_table(rows)


def _text(setting: Setting) -> str:
    value = setting.value
    if value is None or value in ("", {}, []):
        return "–"
    if isinstance(value, list):
        return clean(", ".join(map(str, value)), 1000)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return clean(json.dumps(value, ensure_ascii=False), 1000)
    if isinstance(value, float):
        return f"{value:.4g}{setting.unit}" if setting.unit.startswith("/") else f"{value:g} {setting.unit}"
    return clean(str(value), 1000)
