"""A fault inside a library, be it a panic of its Rust, ends in a sentence."""

from __future__ import annotations

import polars as pl
import pytest

from bulk_cancel.errors import InputError
from bulk_cancel.inputs import read_rows


def fails_with(error):
    def fail(*_args, **_options):
        raise error

    return fail


@pytest.mark.parametrize("error", [pl.exceptions.PanicException("index out of\nbounds"), MemoryError()])
def test_a_fault_while_reading_is_a_refusal_of_the_input(staging, uuid, monkeypatch, error):
    monkeypatch.setattr("bulk_cancel.inputs.staging.write_snapshot", fails_with(error))
    with pytest.raises(InputError, match=r"input\.csv: cannot be read: ") as refused:
        staging.csv_rows(f"id\n{uuid(1)}\n")
    assert "\n" not in str(refused.value)


def test_a_fault_while_the_rows_are_read_again_is_a_refusal(staging, uuid, monkeypatch):
    staged = staging.stage(staging.file("input.csv", f"id\n{uuid(1)}\n"))
    monkeypatch.setattr(pl.LazyFrame, "collect_batches", fails_with(pl.exceptions.PanicException("no\nway")))
    with pytest.raises(InputError, match="the snapshot of the input cannot be read: no way"):
        list(read_rows(staged))
