"""One API has one name and one default ledger, however its address is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.access.ledgers import ledger_place
from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.environment import api_url, canonical_api

SAME = [
    ("https://api.meetergo.com/v4", ["HTTPS://API.Meetergo.com/v4", "https://api.meetergo.com:443/v4/"]),
    ("https://api.meetergo.com/v4", ["https://api.meetergo.com./v4", "https://api.meetergo.com.:443/v4//"]),
    ("http://127.0.0.1:8717/v4", ["http://localhost:8717/v4", "http://[::1]:8717/v4", "http://LocalHost.:8717/v4/"]),
    ("http://127.0.0.1:8717/v4", ["http://[0:0:0:0:0:0:0:1]:8717/v4"]),
    ("http://127.0.0.1/v4", ["http://localhost:80/v4"]),
    ("https://[2001:db8::1]/v4", ["https://[2001:DB8:0:0::1]:443/v4"]),
]
OTHER = ["https://api.meetergo.com:8443/v4", "https://api.meetergo.com/V4", "https://api.meetergo.com/v5"]


@pytest.mark.parametrize(("name", "url"), [(name, url) for name, urls in SAME for url in [name, *urls]])
def test_every_spelling_of_an_address_has_one_name_and_one_ledger(name: str, url: str, tmp_path: Path) -> None:
    given = api_url({"MEETERGO_API_URL": url})
    assert canonical_api(given) == name
    assert str(ledger_place(None, given, tmp_path)) == str(ledger_place(None, name, tmp_path))


@pytest.mark.parametrize("url", OTHER)
def test_another_port_or_path_is_another_api(url: str) -> None:
    name = "https://api.meetergo.com/v4"
    assert canonical_api(url) != name
    assert canonical_api("http://127.0.0.2/v4") != canonical_api("http://127.0.0.1/v4")


@pytest.mark.parametrize(
    "url",
    [
        *("https://host:port/v4", "https://host:99999/v4", "http://[:::]/v4", "http://127.0.0.2"),
        *("https://host/x/../v4", "https://host/./v4", "https://host/x/..", "https://host/%764", "https://host//v4"),
    ],
)
def test_an_invalid_or_unencrypted_api_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError):
        api_url({"MEETERGO_API_URL": url})
