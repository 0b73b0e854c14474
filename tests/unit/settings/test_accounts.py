"""The accounts file: what it says, what it must not hold, and that no error shows a value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from bulk_cancel.core.pacing import Pace
from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.accounts import load_accounts
from bulk_cancel.settings.job import load_job

SECRET = "rgo-1a2b3c4d5e6f"
BERLIN = '[accounts.berlin]\ntoken_env = "BERLIN"\n'
PARIS = '[accounts.paris]\ntoken_file = "paris.token"\n'
ENVIRON = {"BERLIN": "rgo-berlin", "MEETERGO_TOKEN": "rgo-own"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "paris.token").write_text("rgo-paris\n")
    (tmp_path / "paris.token").chmod(0o600)
    return tmp_path / "accounts.toml"


def load(file: Path, text: str, environ: Mapping[str, str] = ENVIRON, **flags: object):  # type: ignore[no-untyped-def]
    file.write_text(text)
    return load_accounts(load_job("a.csv", {"accounts": str(file), **flags}), environ)


def test_an_account_has_what_the_file_says_and_else_what_the_job_says(file: Path) -> None:
    user = "6f0e8f5e-0000-4000-8000-000000000001"
    accounts = load(file, f'{BERLIN}rate = "120/min"\nburst = 7\nconcurrency = 3\nuser_id = "{user.upper()}"\n{PARIS}')
    assert accounts.names == ("berlin", "paris")
    berlin, paris = accounts.find("berlin"), accounts.find("paris")
    assert (berlin.credential.secret, berlin.user_id, berlin.pace, berlin.concurrency) == (
        "rgo-berlin", user, Pace(2, 7), 3,
    )  # fmt: skip
    assert (paris.credential.secret, paris.user_id, paris.pace, paris.concurrency) == (
        "rgo-paris", None, Pace(100 / 60, 200), 16,
    )  # fmt: skip


def test_the_runs_own_credential_is_found_when_it_is_asked_for(file: Path) -> None:
    accounts = load(file, BERLIN, {"BERLIN": "rgo-berlin"})
    assert accounts.find("berlin").name == "berlin"
    with pytest.raises(ConfigError, match="no credential"):
        accounts.find("")
    assert load(file, BERLIN).find("").credential.secret == "rgo-own"


def test_a_missing_credential_is_an_error_only_when_it_is_used(file: Path) -> None:
    accounts = load(file, BERLIN + PARIS, {})
    assert accounts.pace("berlin") == Pace(100 / 60, 200)
    assert accounts.find("paris").credential.secret == "rgo-paris"
    with pytest.raises(ConfigError, match="the account berlin: the variable that token_env names is not set"):
        accounts.find("berlin")


WRONG = {
    f'[accounts.berlin]\ntoken = "{SECRET}"\n': "accounts.berlin: token: tokens do not belong in this file",
    "[accounts.berlin]\n": "accounts.berlin: name one of token_env and token_file",
    f'{BERLIN}token_file = "x"\n': "accounts.berlin: name one of token_env and token_file",
    f'{BERLIN}secret = "{SECRET}"\n': "accounts.berlin.secret: there is no such setting",
    f'[accounts.berlin]\ntoken_env = "{SECRET}"\n': "accounts.berlin.token_env: ",
    f'{BERLIN}rate = "{SECRET}"\n': "accounts.berlin.rate: ",
    f'{BERLIN}burst = "{SECRET}"\n': "accounts.berlin.burst: ",
    f'{BERLIN}user_id = "{SECRET}"\n': "accounts.berlin.user_id: ",
    f'[berlin]\ntoken_env = "{SECRET}"\n': "berlin: there is no such setting",
    "[accounts]\n": "accounts: ",
    "[accounts.'a b']\ntoken_env = 'A'\n": "accounts.a b",
    f"[accounts.{'x' * 65}]\ntoken_env = 'A'\n": "accounts.x",
    f"token = {SECRET}": "not a readable TOML file",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_refused_by_account_and_key_without_a_value(file: Path, text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load(file, text)
    told = f"{refused.value} {refused.value.advice}"
    assert WRONG[text] in told
    assert SECRET not in told


def test_a_file_that_everybody_can_read_is_refused(file: Path) -> None:
    (file.parent / "paris.token").chmod(0o644)
    with pytest.raises(ConfigError, match=r"token_file of the account paris .* every user of this machine") as refused:
        load(file, PARIS).find("paris")
    assert "rgo-paris" not in str(refused.value)


def test_two_accounts_with_one_credential_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="The account berlin and the account paris have the same credential"):
        load(file, BERLIN + PARIS, {"BERLIN": "rgo-paris"})


def test_the_own_credential_may_be_an_accounts_as_long_as_not_both_are_wanted(file: Path) -> None:
    accounts = load(file, BERLIN, {"BERLIN": "rgo-own", "MEETERGO_TOKEN": "rgo-own"})
    assert accounts.find("berlin")
    with pytest.raises(ConfigError, match="the same credential"):
        accounts.find("")


def test_an_unknown_account_or_file_is_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="account names rome"):
        load(file, BERLIN, account="rome")
    with pytest.raises(ConfigError, match="rome is not in the accounts file"):
        load(file, BERLIN).find("rome")
    with pytest.raises(ConfigError, match="name the file of the accounts"):
        load_job("a.csv", {"account": "berlin"})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_accounts(load_job("a.csv", {"accounts": str(file.parent / "none.toml")}), {})


def test_without_a_file_there_is_the_own_credential_alone() -> None:
    accounts = load_accounts(load_job("a.csv", {"burst": "5"}), ENVIRON)
    assert not accounts.given
    assert accounts.names == ()
    assert accounts.find("").pace.burst == 5


def test_no_secret_is_in_a_repr(file: Path) -> None:
    accounts = load(file, BERLIN + PARIS)
    assert "rgo-" not in repr(accounts) + repr(accounts.find("berlin"))


def test_the_file_is_beside_the_job_file(tmp_path: Path) -> None:
    (tmp_path / "job.toml").write_text('input = "a.csv"\naccounts = "accounts.toml"\naccount = "berlin"\n')
    assert load_job(str(tmp_path / "job.toml")).accounts == tmp_path / "accounts.toml"
