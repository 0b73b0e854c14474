"""The limit of open files: how many connections fit it, and whose fault it is when there are none left."""

from __future__ import annotations

import errno
import resource
import socket

import pytest

from bulk_cancel.ops.descriptors import fewer_at_a_time, is_out_of_files, room_for_connections
from support.small_files import room_for_files


def test_the_connections_fit_the_limit_beside_what_is_open() -> None:
    with room_for_files(265):  # one of them lists the others
        assert room_for_connections() == (264 - 64) // 2


def test_one_connection_is_tried_however_low_the_limit_is() -> None:
    with room_for_files(4):
        assert room_for_connections() == 1


def test_without_a_limit_of_open_files_any_number_of_connections_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert room_for_connections() > 10**6


def test_an_error_says_it_or_the_error_that_it_came_of() -> None:
    error = ConnectionError("All connection attempts failed")
    error.__cause__ = OSError(errno.EMFILE, "Too many open files")
    assert is_out_of_files(error)
    assert not is_out_of_files(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))


def test_a_name_that_cannot_be_looked_up_for_want_of_a_file() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert not is_out_of_files(error)
    with room_for_files(0):
        assert is_out_of_files(error)


def test_room_for_one_connection_is_told_in_the_singular() -> None:
    told = "This machine lets the program open few files (ulimit -n): {}."
    assert fewer_at_a_time(1, "request", 2000) == told.format("1 request at a time, not 2,000")
    assert fewer_at_a_time(3, "account", 16) == told.format("3 accounts at a time, not 16")
