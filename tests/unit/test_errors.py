"""The tree of errors: drawn as it is, and whole."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bulk_cancel import errors
from bulk_cancel.errors import BulkCancelError

PACKAGE = Path(errors.__file__).parent


def branches(error: type[BulkCancelError], depth: int = 0) -> Iterator[tuple[int, str, int]]:
    yield depth, error.__name__, int(error.exit_code)
    for child in error.__subclasses__():
        yield from branches(child, depth + 1)


def test_the_tree_is_drawn_as_it_is() -> None:
    drawn = [line for line in (errors.__doc__ or "").splitlines() if line.lstrip().partition(" ")[0].endswith("Error")]
    found = []
    for line in drawn:
        name, code = line.split()[:2]
        found.append(((len(line) - len(line.lstrip())) // 2, name, int(code)))
    parents = [tuple(one) for one in found]
    assert sorted(parents) == sorted(branches(BulkCancelError))


def test_every_error_with_an_exit_code_is_in_the_tree() -> None:
    known = {name for _, name, _ in branches(BulkCancelError)}
    for path in PACKAGE.rglob("*.py"):
        if path.name != "errors.py":
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                bases = {ast.unparse(base) for base in node.bases} if isinstance(node, ast.ClassDef) else set()
                assert not bases & known, f"{path.name}: {node}"
