"""Renders a page as one file with its style and script inside; a policy forbids everything else."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from bulk_cancel.core.units import show_duration
from bulk_cancel.reports.files import written_aside
from bulk_cancel.reports.pages.figures import HEIGHT, WIDTH
from bulk_cancel.reports.pages.layout import Page

_FOLDER = "templates"


def render(page: Page) -> str:
    """Return the HTML of a page. All of its texts are escaped."""
    style, script = _part("page.css"), _part("page.js")
    policy = (
        f"default-src 'none'; style-src {_source(style)}; script-src {_source(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    return _environment().get_template("page.html.j2").render(page=page, style=style, script=script, policy=policy)


def write_page(page: Page, out: Path, name: str) -> None:
    """Write a page into the folder `out`, readable by its owner alone. Raises ReportError when the disk refuses."""
    with written_aside(out, [name]) as folder:
        (folder / name).write_text(render(page), encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bulk_cancel.reports.pages", _FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"chart_width": WIDTH, "chart_height": HEIGHT}
    environment.filters |= {"duration": show_duration, "number": lambda count: f"{count:,}"}
    environment.filters["coded"] = _coded
    return environment


def _coded(text: str) -> Markup:
    """Return a text whose commands, between backticks, are marked as code."""
    return Markup(re.sub("`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  escaped before


@cache
def _part(name: str) -> Markup:
    """Return a part of the page that is our own and needs no escaping."""
    return Markup(files(__package__).joinpath(_FOLDER, name).read_text(encoding="utf-8"))  # noqa: S704


def _source(part: Markup) -> str:
    return f"'sha256-{b64encode(sha256(part.encode()).digest()).decode()}'"
