"""The way to the API as the environment says it: what cannot be used is a setting, and this machine needs no proxy."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import certifi
import pytest

from bulk_cancel.api import proxies
from bulk_cancel.api.http import httpx
from bulk_cancel.api.proxies import proxy_for
from bulk_cancel.api.transports import refuse_unfit_way, tls_context
from bulk_cancel.core.known_secrets import blotted
from bulk_cancel.errors import ConfigError, Exit

API = "https://api.example/v4"
PROXY = "http://proxy.example:3128"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.delenv("SSL_CERT_DIR", raising=False)
    return monkeypatch


@pytest.mark.parametrize("host", ["127.0.0.1:8080", "127.9.9.9", "localhost", "LOCALHOST.", "[::1]:8443"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_this_machine_is_reached_through_no_proxy(scheme: str, host: str, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALL_PROXY", PROXY)
    assert proxy_for(httpx.URL(f"{scheme}://{host}/v4")) is None
    assert proxy_for(httpx.URL("https://127.0.0.1.example/v4")) == PROXY


@pytest.mark.parametrize(
    ("excepted", "host", "proxy"),
    [
        ("10.0.0.0/8", "10.1.2.3", None),
        ("192.168.0.0/16, 10.0.0.0/8", "10.1.2.3:8443", None),
        ("10.1.2.3", "10.1.2.3", None),
        ("10.0.0.1/8", "10.1.2.3", None),
        ("10.0.0.0/8", "11.1.2.3", PROXY),
        ("fd00::/8", "[fd12::1]", None),
        ("fd00::/8", "[fe80::1]", PROXY),
        ("10.0.0.0/8,internal.example", "internal.example", None),
        ("10.0.0.0/8", "api.example", PROXY),
        ("not/a/network", "10.1.2.3", PROXY),
        ("*", "api.example", None),
    ],
)
def test_no_proxy_may_have_networks(
    excepted: str, host: str, proxy: str | None, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HTTPS_PROXY", PROXY)
    environment.setenv("NO_PROXY", excepted)
    assert proxy_for(httpx.URL(f"https://{host}/v4")) == proxy


@pytest.mark.parametrize(
    "address", ["ftp://me:s3cret-pass@p", "http://me:s3cret-pass@p:99999999", "http://", "a b://p"]
)
def test_an_unusable_proxy_is_a_wrong_setting(address: str, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", address)
    with pytest.raises(ConfigError, match="cannot be used") as refused:
        refuse_unfit_way(API)
    assert refused.value.exit_code is Exit.CONFIG
    assert "s3cret" not in f"{refused.value}{refused.value.advice}"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_socks_names_what_to_install(scheme: str, there: bool, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:1080")
    spec = importlib.util.find_spec("json")
    environment.setattr(proxies.importlib.util, "find_spec", lambda _: spec if there else None)
    if there:
        assert proxy_for(httpx.URL(API)) == f"{scheme}://127.0.0.1:1080"
        return
    with pytest.raises(ConfigError, match="SOCKS") as refused:
        refuse_unfit_way(API)
    assert refused.value.advice == 'pip install "httpx[socks]"'


def test_a_proxys_password_is_kept_out_of_everything(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTPS_PROXY", "http://me:Tr0ub4dor-and-3@proxy.example:3128")
    assert proxy_for(httpx.URL(API))
    assert blotted("Tr0ub4dor-and-3 is wrong") == "[credential] is wrong"


@pytest.mark.parametrize("name", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_are_not_there_are_a_setting(
    name: str, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "none.pem"
    environment.setenv(name, str(missing))
    with pytest.raises(ConfigError, match=re.escape(f"{name} names a path that does not exist: {missing}")) as refused:
        refuse_unfit_way(API)
    assert refused.value.exit_code is Exit.CONFIG


def test_a_folder_of_certificates_is_there_also_when_a_file_comes_first(
    tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("SSL_CERT_FILE", certifi.where())
    environment.setenv("SSL_CERT_DIR", str(tmp_path))
    refuse_unfit_way(API)
    tls_context()
    environment.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="SSL_CERT_DIR names a path that does not exist"):
        refuse_unfit_way(API)


@pytest.mark.parametrize("name", ["", "company.pem", "a1b2c3d4.0"])
def test_a_folder_without_certificates_is_a_setting(name: str, tmp_path: Path, environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SSL_CERT_DIR", str(tmp_path))
    if name:
        (tmp_path / name).write_bytes(Path(certifi.where()).read_bytes())
    if name == "a1b2c3d4.0":
        tls_context()
        return
    with pytest.raises(ConfigError, match="The certificates that SSL_CERT_DIR names cannot be read") as refused:
        tls_context()
    assert refused.value.exit_code is Exit.CONFIG


@pytest.mark.parametrize(
    "content", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_without_certificates_is_a_setting(
    content: str, tmp_path: Path, environment: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "company.pem"
    file.write_text(content)
    environment.setenv("SSL_CERT_FILE", str(file))
    refuse_unfit_way(API)
    with pytest.raises(ConfigError, match="The certificates that SSL_CERT_FILE names cannot be read"):
        tls_context()
