"""`config show`: parse, call, render. On stdout, since it is what was asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bulk_cancel.access.setup import set_up
from bulk_cancel.cli.stdout import errors_told, put_document, this_machine
from bulk_cancel.commands.config import Origin, Setting, settings_shown
from bulk_cancel.core.text import clean
from bulk_cancel.ops.logs import make_log
from bulk_cancel.settings.job import load_job


def show_command(source: str, flags: Mapping[str, Any]) -> None:
    """Show each setting, its value and where it came from."""
    with errors_told(as_json=bool(flags.get("json"))):
        job = load_job(source, flags)
        setup = set_up(job, make_log(quiet=True), this_machine())
        settings = settings_shown(setup, source, flags)
    if job.json_:
        put_document({"source": source, "settings": {item.name: _document(item) for item in settings}})
    else:
        _show(Console(highlight=False), settings)


def _document(setting: Setting) -> dict[str, Any]:
    told = {"value": setting.value, "from": setting.origin.value, "where": setting.where or None}
    return {**told, "unit": setting.unit} if setting.unit else told


def _show(console: Console, settings: list[Setting]) -> None:
    table = Table(box=None, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("from", overflow="fold")
    for setting in settings:
        style = "dim" if setting.origin is Origin.DEFAULT else ""
        where = f"{setting.origin} {setting.where}".strip()
        table.add_row(setting.name, escape(_text(setting)), escape(clean(where, 300)), style=style)
    console.print(table)


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
