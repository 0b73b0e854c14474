"""Where a ledger is: what is no file is refused, and what may be a password is not repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.access.places import ledger_path
from bulk_cancel.errors import ConfigError

API = "https://api.meetergo.com/v4"


@pytest.mark.parametrize(
    "address",
    [
        "host=db.example user=ops password=s3cret",
        "password = s3cret dbname=ops",
        "postgresql+psycopg://ops:s3cret@db.example/ops",
        "sqlite://ops:s3cret@db.example/ops",
        "mysql://ops:s3cret@db.example/ops",
        "postgresql:ops:s3cret@db.example/ops",
        "jdbc:postgresql:ops?password=s3cret",
        "ops:s3cret@db.example/ops",
        "jobs/password=s3cret",
        "jobs/ops:s3cret@db.example/ops",
    ],
)
def test_an_address_of_a_database_is_refused_and_not_repeated(address: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="neither a file nor a PostgreSQL URL") as refused:
        ledger_path(address, API, tmp_path)
    assert "s3cret" not in f"{refused.value} {refused.value.advice}"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["ledger.db", "a b/c=d.db", "ops@home/ledger.db", "./ops:home.db", "sqlite:///srv/l.db"]
)
def test_a_ledger_name_without_a_database_address_is_a_file(name: str, tmp_path: Path) -> None:
    assert ledger_path(name, API, tmp_path) == Path(name.removeprefix("sqlite://"))
