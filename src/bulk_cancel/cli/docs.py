"""`docs`: the pages, job files and schedules that come with the program."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from bulk_cancel.cli.stdout import put_out
from bulk_cancel.cli.terminal import Terminal
from bulk_cancel.errors import UsageError

#: What is shipped for users; not the tests and the sources.
_SHIPPED = ("README.md", "CHANGELOG.md", "LICENSE", "docs", "jobs", "sample_inputs")


def shipped_folder() -> Path:
    """Return the folder that has docs/ and jobs/: in the installed program, or the checkout."""
    installed = Path(str(files("bulk_cancel"))) / "shipped"
    return installed if installed.exists() else Path(__file__).resolve().parents[3]


def docs_command(name: str) -> None:
    """Print a page, or a list of all pages. Raises UsageError for an unknown name."""
    folder = shipped_folder()
    if name:
        put_out(_page(folder, name).read_text(encoding="utf-8"))
        return
    terminal = Terminal()
    terminal.print(f"What comes with this version is in {folder}", "To read a page: bulk-cancel docs runbook", "")
    terminal.print_table([(path.relative_to(folder).as_posix(), _title(path)) for path in _shipped(folder)])


def _shipped(folder: Path) -> Iterator[Path]:
    for name in _SHIPPED:
        path = folder / name
        yield from [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())


def _page(folder: Path, name: str) -> Path:
    """Find a page by its path, which may lack `docs/` and `.md`."""
    names = [f"{start}{name}{end}" for start in ("", "docs/") for end in ("", ".md")]
    found = [path for path in _shipped(folder) if path.relative_to(folder).as_posix() in names]
    if not found:
        raise UsageError(f"There is no page {name}.", advice=f"{_likely(folder, name)}All of them: bulk-cancel docs")
    return found[0]


def _likely(folder: Path, name: str) -> str:
    """Return which pages may be meant, a sentence with a blank after it; empty when none is like it."""
    from difflib import get_close_matches  # slow to import, and needed only for mistakes

    pages = [path.relative_to(folder) for path in _shipped(folder)]
    close = get_close_matches(Path(name).stem.lower(), {page.stem.lower() for page in pages}, 3)
    meant = [page.as_posix().removeprefix("docs/").removesuffix(".md") for page in pages if page.stem.lower() in close]
    return f"Did you mean: {', '.join(meant)}? " if meant else ""


def _title(path: Path) -> str:
    if path.suffix != ".md":
        return ""
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix("#").strip()
