"""Whoever can write to the queue's tables must not be able to run code in those who read them."""

from __future__ import annotations

import base64
import pickle
from pathlib import Path

import pytest

queue = pytest.importorskip("bulk_cancel.cluster.queue", reason="there is no dbos", exc_type=ImportError)


class Touch:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["deserialize_args", "deserialize_value"])
def test_a_row_that_says_it_is_a_pickle_is_not_read(name: str, tmp_path: Path) -> None:
    from dbos import _serialization

    made = tmp_path / "made"
    settings = queue.configuration("postgresql://u@h/d", "slot")
    with pytest.raises(PermissionError, match="claims to be a pickle"):
        getattr(_serialization, name)(
            base64.b64encode(pickle.dumps(Touch(made))).decode(), "py_pickle", settings["serializer"]
        )
    assert not made.exists()
