"""Where a credential comes from when it is in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.errors import ConfigError
from bulk_cancel.settings.credentials import SYSTEMD_NAME, find_credential
from bulk_cancel.settings.job import load_job


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / SYSTEMD_NAME
    path.write_text(' "rgo-from-a-file"\n')
    path.chmod(0o640)
    return path


def test_a_named_file(file: Path) -> None:
    assert find_credential({"MEETERGO_TOKEN_FILE": str(file)}).secret == "rgo-from-a-file"


def test_systemds_credential_whatever_its_mode(file: Path) -> None:
    file.chmod(0o444)
    assert find_credential({"CREDENTIALS_DIRECTORY": str(file.parent)}).secret == "rgo-from-a-file"


def test_the_variable_comes_first(file: Path) -> None:
    environ = {"MEETERGO_TOKEN": "rgo-from-a-variable", "MEETERGO_TOKEN_FILE": str(file)}
    assert find_credential(environ).secret == "rgo-from-a-variable"


def test_each_place_has_words_for_a_person(file: Path) -> None:
    token = "rgo-from-a-variable"
    assert find_credential({"MEETERGO_TOKEN": token}).origin == "MEETERGO_TOKEN"
    assert find_credential({"MEETERGO_API_KEY": token}).origin == "MEETERGO_API_KEY"
    assert find_credential({"MEETERGO_TOKEN_FILE": str(file)}).origin == "the file that MEETERGO_TOKEN_FILE names"
    assert find_credential({"CREDENTIALS_DIRECTORY": str(file.parent)}).origin == f"systemd's credential {SYSTEMD_NAME}"


@pytest.mark.parametrize("mode", [0o604, 0o644])
def test_a_file_that_everybody_can_read_is_refused(mode: int, file: Path) -> None:
    file.chmod(mode)
    with pytest.raises(ConfigError, match="Every user of this machine can read") as caught:
        find_credential({"MEETERGO_TOKEN_FILE": str(file)})
    assert "chmod o-rwx" in caught.value.advice
    assert "rgo-from" not in f"{caught.value} {caught.value.advice}"


def test_a_token_in_the_place_of_a_files_name_is_not_repeated() -> None:
    token = "5f3c9a7eKqZx81LmQw02nVbTTui"
    with pytest.raises(ConfigError, match="cannot be read: No such file") as caught:
        find_credential({"MEETERGO_TOKEN_FILE": token})
    assert token not in f"{caught.value} {caught.value.advice}"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o640, 0o600])
def test_a_job_file_with_addresses_is_refused_as_a_token_file_is(mode: int, tmp_path: Path) -> None:
    job = tmp_path / "nightly.toml"
    job.write_text('input = "a.csv"\nnotify = ["json://127.0.0.1/s3cret"]\n')
    job.chmod(mode)
    if not mode & 0o004:
        assert load_job(str(job)).notify
        return
    with pytest.raises(ConfigError, match="Every user of this machine can read the addresses of notify") as caught:
        load_job(str(job))
    assert "chmod o-rwx" in caught.value.advice
    assert "s3cret" not in f"{caught.value} {caught.value.advice}"
    job.write_text('input = "a.csv"\n')
    assert load_job(str(job)).notify == ()


@pytest.mark.parametrize("content", [b"", b"  \n", b"two words", b"\xff\xfe"])
def test_a_file_that_holds_no_credential_is_refused(content: bytes, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(ConfigError):
        find_credential({"MEETERGO_TOKEN_FILE": str(file)})


def test_a_missing_credential_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        find_credential({"MEETERGO_TOKEN_FILE": str(tmp_path / "none")})
