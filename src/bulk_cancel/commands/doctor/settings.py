"""Checks the job and its input."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bulk_cancel.commands.doctor.check import Check, failed, good
from bulk_cancel.core.text import counted
from bulk_cancel.errors import BulkCancelError, InputError, InputMissingError
from bulk_cancel.settings.job import Job, load_job


def check_job(source: str, flags: Mapping[str, Any]) -> tuple[Job, Check]:
    """Return the job (with defaults, when its settings are wrong), and the check."""
    try:
        job = load_job(source or "-", flags)
    except BulkCancelError as error:
        return Job.model_construct(input="-", **flags), failed("settings", error)
    what = source or "the environment"
    return job, good("settings", f"The settings of {what} are valid.")


def check_input(job: Job) -> Check:
    """Check that the input exists. (`plan` checks its content.)"""
    if job.select is not None:
        return good("input", "It is searched for when the job runs.")
    if job.input == "-" or "://" in job.input:
        return good("input", f"{job.input} was not looked at.")
    path = Path(job.input)
    if job.missing_input == "ok" and not path.exists() and path.parent.is_dir():
        return good("input", f"There is no {path} today; the job allows for that: nothing to do.")
    if not path.exists():
        return failed("input", InputMissingError(f"There is no input {path}.", advice="Check the name."))
    if path.is_dir():
        return _check_folder(path)
    if not path.is_file() or not os.access(path, os.R_OK):
        return failed("input", InputError(f"The input {path} cannot be read.", advice="Check what it is and its mode."))
    return good("input", f"{path} is there, {counted(path.stat().st_size, 'byte')}.")


def _check_folder(folder: Path) -> Check:
    from bulk_cancel.inputs.parquet import part_files  # brings polars

    try:
        parts = part_files(folder)
    except InputError as error:
        return failed("input", InputError(f"The input {folder} cannot be read: {error}.", advice=error.advice))
    if not parts:
        return failed("input", InputError(f"The input {folder} holds no Parquet file.", advice="Check the name."))
    return good("input", f"{folder} is there, {counted(len(parts), 'Parquet file')}.")
