"""Which account a row has: the column where there are accounts, else the job's, else none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_cancel.inputs import AccountNames, InputOptions, read_rows, stage_input

IDS = [f"6f0e8f5e-0000-4000-8000-{number:012}" for number in range(5)]
SOME = AccountNames(("berlin", "rome"))


def accounts_of(folder: Path, text: str, options: InputOptions) -> list[tuple[str | None, str | None]]:
    source = folder / "a.csv"
    source.write_text(text)
    staged = stage_input(str(source), options, folder / "input.parquet")
    return [(row.account, row.problems) for chunk in read_rows(staged) for row in chunk]


def test_the_account_is_the_columns_or_the_default(tmp_path: Path) -> None:
    text = f"id,Account\n{IDS[0]}, berlin \n{IDS[1]},\n{IDS[2]},paris\nx,rome\n"
    found = accounts_of(tmp_path, text, InputOptions({}, None, False, accounts=AccountNames(SOME.names, "rome")))
    wrong = 'account is not in the accounts file: "paris"'
    assert found == [("berlin", None), ("rome", None), (None, wrong), (None, 'appointment_id is not a UUID: "x"')]


@pytest.mark.parametrize("accounts", [None, SOME])
def test_a_mapped_column_counts_with_and_without_a_file(tmp_path: Path, accounts: AccountNames | None) -> None:
    text = f"id,office,account\n{IDS[0]},berlin,17\n{IDS[1]},,18\n"
    found = accounts_of(tmp_path, text, InputOptions({"account": "office"}, None, False, accounts=accounts))
    assert found[0] == (("berlin", None) if accounts else (None, 'account is not in the accounts file: "berlin"'))
    assert found[1] == (None, None)


def test_without_accounts_the_column_is_one_like_any_other(tmp_path: Path) -> None:
    assert accounts_of(tmp_path, f"id,account\n{IDS[0]},17\n", InputOptions({}, None, False)) == [(None, None)]


def test_rows_of_one_target_have_one_account(tmp_path: Path) -> None:
    text = f"id,account\n{IDS[0]},berlin\n{IDS[1]},rome\n{IDS[0]},rome\n{IDS[1]},rome\n"
    found = accounts_of(tmp_path, text, InputOptions({}, None, False, accounts=SOME))
    assert [account for account, _ in found] == [None, "rome", None, "rome"]
    assert (
        found[2][1]
        == "row 2 names the same target with another account; nothing is sent for either until one is removed"
    )
