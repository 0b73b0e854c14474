"""Several accounts in one run: each row with its own token and limit, and nobody stopped by another's trouble."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pytest

from bulk_cancel.core.outcome import ONE_OCCURRENCE
from bulk_cancel.sandbox.credentials import EXPIRED_TOKEN, OWNER_TOKEN, fingerprint
from bulk_cancel.sandbox.record import Arrival
from bulk_cancel.sandbox.server import Sandbox, SandboxOptions
from bulk_cancel.sandbox.world import Kind, Wanted, World
from support.shell import QUICK, QUICK_PLAN, Result, Shell

NAMES = ("berlin", "paris", "rome")
TOKENS = {name: f"rgo-secret-of-{name}" for name in NAMES} | {"": OWNER_TOKEN}
PRINTS = {name: fingerprint(token) for name, token in TOKENS.items()}
FILE = "\n".join(f'[accounts.{name}]\ntoken_env = "TOKEN_{name.upper()}"\n' for name in NAMES)
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def tokens(shell: Shell, write: Write) -> None:
    shell.environ.update({f"TOKEN_{name.upper()}": TOKENS[name] for name in NAMES})
    write("accounts.toml", FILE)


def serve(sandbox: Sandbox, wanted: Iterable[Wanted], **options: object) -> list[str]:
    world = World.of(wanted, seed=3)
    limits = {"rate_per_s": 10_000, "burst": 10_000}
    sandbox.reset(SandboxOptions(world=world, any_personal_token=True, **{**limits, **options}))
    return list(world.appointments)


def as_csv(owners: Mapping[str, str], series: Iterable[str] = ()) -> str:
    rows = [f"{id_},{name},{'yes' if id_ in {*series} else ''}" for id_, name in owners.items()]
    return "\n".join(["id,account,cancel_entire_series", *rows]) + "\n"


def share_out(ids: Iterable[str], names: Iterable[str] = (*NAMES, "")) -> dict[str, str]:
    names = [*names]
    return {id_: names[number % len(names)] for number, id_ in enumerate(ids)}


def cancels(sandbox: Sandbox) -> list[Arrival]:
    return [arrival for arrival in sandbox.arrivals() if arrival.method == "POST"]


def run(shell: Shell, source: Path, *words: str) -> Result:
    return shell.run(source, "--accounts", "accounts.toml", "--ledger", "ledger.db", *words)


def test_each_row_goes_with_the_token_of_its_account(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 40))
    result = run(shell, write("a.csv", as_csv(owners)), "--log-file", "full.log", "--out", "out")
    assert result.code == 0, result.stderr
    assert {each.target: each.credential for each in cancels(sandbox)} == {i: PRINTS[n] for i, n in owners.items()}
    assert result.summary["requests"]["posts"] == 40
    assert {name: its["posts"] for name, its in result.summary["accounts"].items()} == dict.fromkeys(TOKENS, 10)
    assert set(sandbox.truth().applied.values()) == {1}
    written = b"".join(path.read_bytes() for path in shell.folder.parent.rglob("*") if path.is_file())
    told = written + (result.stdout + result.stderr).encode()
    assert not any(token.encode() in told for token in TOKENS.values())
    again = run(shell, write("a.csv", as_csv(owners)))
    assert (again.code, again.summary["requests"]["posts"]) == (0, 0)


def test_each_has_its_own_rate_and_none_waits_for_another(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    slow = '[accounts.berlin]\ntoken_env="TOKEN_BERLIN"\nrate="10/s"\nburst=3\nconcurrency=2\n'
    middle = '[accounts.rome]\ntoken_env="TOKEN_ROME"\nrate="25/s"\nburst=3\n'
    write("accounts.toml", slow + middle + '[accounts.paris]\ntoken_env="TOKEN_PARIS"\n')
    ids = serve(sandbox, [Wanted()] * 145)
    owners = dict.fromkeys(ids[:20], "berlin") | dict.fromkeys(ids[20:45], "rome") | dict.fromkeys(ids[45:], "paris")
    result = run(shell, write("a.csv", as_csv(owners)))
    assert result.code == 0, result.stderr
    at = {name: [a.at for a in sandbox.arrivals() if a.credential == PRINTS[name]] for name in NAMES}
    lasting = {name: max(moments) - min(moments) for name, moments in at.items()}
    assert lasting["berlin"] >= (20 - 3) / 10
    assert lasting["rome"] >= (25 - 3) / 25
    assert max(at["paris"]) < max(at["rome"]) < max(at["berlin"])


def test_a_refused_token_stops_only_its_account(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 30), NAMES)
    source = write("a.csv", as_csv(owners))
    shell.environ["TOKEN_PARIS"] = EXPIRED_TOKEN
    result = run(shell, source)
    assert result.code == 77, result.stderr
    assert result.summary["counts"]["cancelled"] == 20
    assert result.summary["counts"]["pending"] == 10
    assert "The account paris: The API refuses the credential" in result.summary["next"]
    assert {owners[arrival.target or ""] for arrival in cancels(sandbox)} == {"berlin", "rome"}
    shell.environ["TOKEN_PARIS"] = TOKENS["paris"]
    again = run(shell, source)
    assert again.code == 0, again.stderr
    assert again.summary["counts"]["cancelled"] == 30
    assert set(sandbox.truth().applied.values()) == {1}


@pytest.mark.long
def test_a_killed_run_converges(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 90, faults="cut-after=0.1,429=0.05", second_cancel="mail_again"))
    source = write("a.csv", as_csv(owners))
    words = ["run", str(source), "--accounts", "accounts.toml", "--ledger", "ledger.db", "--yes", "--quiet", *QUICK]
    words += ["--rate", "20/s", "--burst", "5"]
    process = shell.start(*words)
    until = time.monotonic() + 30
    while len(cancels(sandbox)) < 25 and time.monotonic() < until:
        time.sleep(0.01)
    process.kill()
    for _ in range(5):
        if (result := run(shell, source, "--wait")).code == 0:
            break
    assert result.code == 0, result.stderr
    assert sandbox.truth().applied == dict.fromkeys(owners, 1)
    by_owner = {(owners[arrival.target or ""], arrival.credential) for arrival in cancels(sandbox)}
    assert by_owner == {(name, PRINTS[name]) for name in TOKENS}


def test_series_go_last_one_by_one_over_all_accounts(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    """A series is never called done because the occurrence that its row names is cancelled: a person has to look."""
    ids = serve(sandbox, [Wanted()] * 15 + [Wanted(Kind.SERIES)] * 12, latency_s=0.01, second_cancel="mail_again")
    owners, series = share_out(ids, NAMES), ids[15:]
    slow = FILE.replace('"TOKEN_ROME"\n', '"TOKEN_ROME"\nrate = "10/s"\nburst = 3\n')
    write("accounts.toml", slow)
    result = run(shell, write("a.csv", as_csv(owners, series)), "--out", "out")
    assert result.code == 3, result.stderr
    sent = [arrival.target for arrival in cancels(sandbox)]
    assert set(sent[:15]) == set(ids[:15])
    assert len(sent[15:]) == 3, "a series each; the others are found cancelled"
    failed = shell.rows("out/failed.csv")
    assert {row["appointment_id"] for row in failed} == {*series}.difference(sent)
    assert {row["bulk_cancel_detail"] for row in failed} == {f"not sent: {ONE_OCCURRENCE}"}
    assert {*sandbox.truth().applied} == {*ids}
    assert not sandbox.truth().doubled


def test_a_row_with_an_unknown_account_is_never_sent(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    ids = serve(sandbox, [Wanted()] * 4)
    owners = dict(zip(ids, ["berlin", "Berlin", "madrid", "rome"], strict=True))
    result = run(shell, write("a.csv", as_csv(owners)), "--out", "out")
    assert result.code == 3, result.stderr
    assert {arrival.target for arrival in cancels(sandbox)} == {ids[0], ids[3]}
    invalid = shell.rows("out/invalid.csv")
    assert [row["bulk_cancel_detail"] for row in invalid] == [
        'account is not in the accounts file: "Berlin"',
        'account is not in the accounts file: "madrid"',
    ]
    assert [row["account"] for row in invalid] == ["Berlin", "madrid"]


def test_rows_that_disagree_about_the_account_are_invalid(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    (id_,) = serve(sandbox, [Wanted()])
    result = run(shell, write("a.csv", f"id,account\n{id_},berlin\n{id_},rome\n"), "--out", "out")
    assert (result.code, cancels(sandbox)) == (3, [])
    assert "row 2 names the same target with another account" in shell.rows("out/invalid.csv")[1]["bulk_cancel_detail"]


def test_without_an_accounts_file_the_column_means_nothing(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    ids = serve(sandbox, [Wanted()] * 2)
    source = write("a.csv", f"id,account\n{ids[0]},4711\n{ids[1]},\n")
    result = shell.run(source, "--ledger", "ledger.db", "--out", "out")
    assert result.code == 0, result.stderr
    assert [row["account"] for row in shell.rows("out/results.csv")] == ["4711", ""]
    assert {arrival.credential for arrival in sandbox.arrivals()} == {PRINTS[""]}


def test_the_own_credential_is_needed_for_rows_of_its_own(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 4), ["berlin", ""])
    source = write("a.csv", as_csv(owners))
    del shell.environ["MEETERGO_TOKEN"]
    result = run(shell, source)
    assert (result.code, cancels(sandbox)) == (78, [])
    named = run(shell, source, "--account", "rome")
    assert named.code == 0, named.stderr
    assert Counter(arrival.credential for arrival in cancels(sandbox)) == {PRINTS["berlin"]: 2, PRINTS["rome"]: 2}


@pytest.mark.long
def test_an_account_that_left_the_file_is_left_and_told(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 6, faults="cut-before=1"), ["berlin", "paris"])
    everything = write("a.csv", as_csv(owners))
    assert run(shell, everything).code == 4
    time.sleep(1)  # the settle time
    sandbox.set_faults("")
    write("accounts.toml", FILE.replace("accounts.paris", "accounts.lyon"))
    berlin = {id_: name for id_, name in owners.items() if name == "berlin"}
    result = run(shell, write("b.csv", as_csv(berlin)))
    assert result.code == 4, result.stderr
    assert result.summary["counts"]["cancelled"] == 3
    assert "3 of the account paris" in result.summary["next"]
    assert "account.left" in result.stderr
    without = shell.run(write("c.csv", "id\n" + "\n".join(berlin)), "--ledger", "ledger.db")
    assert (without.code, without.summary["requests"]["gets"]) == (4, 0)
    assert "3 of the account paris" in without.summary["next"]
    write("accounts.toml", FILE)
    settled = shell("reconcile", "--accounts", "accounts.toml", "--ledger", "ledger.db", "--json", *QUICK)
    assert settled.code == 5, "three were not applied, and may be sent again"
    assert {arrival.credential for arrival in sandbox.arrivals()} == {PRINTS["berlin"], PRINTS["paris"]}
    assert run(shell, everything).code == 0
    assert sandbox.truth().applied == dict.fromkeys(owners, 1)


@pytest.mark.parametrize("input_is_there", [True, False])
def test_failed_rows_can_be_fed_back(shell: Shell, sandbox: Sandbox, write: Write, *, input_is_there: bool) -> None:
    """Without its input a run's failed.csv says for each row what was asked: a person corrects it there."""
    owners = share_out(serve(sandbox, [Wanted(), Wanted(Kind.GROUP), Wanted(Kind.GROUP)]), NAMES)
    assert run(shell, write("a.csv", as_csv(owners)), "--out", "out").code == 3
    failed = shell.folder / "out/failed.csv"
    assert [row["account"] for row in shell.rows("out/failed.csv")] == ["paris", "rome"]
    if not input_is_there:
        next(shell.folder.glob("out/input-*.parquet")).unlink()
        assert shell("report", "--ledger", "ledger.db").code == 0
        assert [row["account"] for row in shell.rows("out/failed.csv")] == ["paris", "rome"]
    rows = [{**row, "cancel_all": "true"} for row in shell.rows("out/failed.csv")]
    failed.write_text("\n".join(",".join(cells) for cells in ([*rows[0]], *(row.values() for row in rows))) + "\n")
    before = len(cancels(sandbox))
    result = run(shell, failed)
    assert result.code == 0, result.stderr
    again = [arrival.credential for arrival in cancels(sandbox)[before:]]
    assert sorted(again) == sorted([PRINTS["paris"], PRINTS["rome"]])


def test_a_plan_tells_each_account_and_is_carried_out_with_them(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 9), NAMES)
    write("accounts.toml", FILE.replace('"TOKEN_ROME"\n', '"TOKEN_ROME"\nrate = "1/min"\nburst = 1\n'))
    source = write("a.csv", as_csv(owners))
    words = ("--accounts", "accounts.toml", "--ledger", "ledger.db")
    planned = shell("plan", source, *words, "--look", "never", "--json", "--out", "audit")
    assert planned.summary["accounts"]["berlin"] == {"cancels": 3, "duration_s": 0.0}
    assert planned.summary["duration_s"] == planned.summary["accounts"]["rome"]["duration_s"] == 180.0
    assert [row["account"] for row in shell.rows("audit/plan.csv")] == [*owners.values()]
    assert "with the account rome: about 3 minutes" in shell("plan", source, *words, "--look", "never").stdout
    write("accounts.toml", FILE)
    live = shell("plan", source, *words, "-o", "a.plan", *QUICK_PLAN)
    assert live.code == 0, live.stderr
    assert {arrival.credential for arrival in sandbox.arrivals()} == {PRINTS[name] for name in NAMES}
    refused = shell.run("a.plan", "--ledger", "ledger.db")
    assert (refused.code, cancels(sandbox)) == (78, [])
    result = run(shell, Path("a.plan"))
    assert result.code == 0, result.stderr
    assert {each.target: each.credential for each in cancels(sandbox)} == {i: PRINTS[n] for i, n in owners.items()}


def test_a_refused_look_names_the_account(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 9), NAMES)
    shell.environ["TOKEN_ROME"] = EXPIRED_TOKEN
    result = shell("plan", write("a.csv", as_csv(owners)), "--accounts", "accounts.toml", *QUICK_PLAN)
    assert result.code == 77
    assert "With the account rome: " in result.stderr


def test_a_search_takes_the_account_of_the_job(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    serve(sandbox, [Wanted()] * 20)
    job = 'accounts = "accounts.toml"\naccount = "rome"\n'
    job += '[select]\nfrom = "{today}"\nto = "2999-12-31"\ntimezone = "UTC"\n'
    result = shell.run(write("job.toml", job), "--ledger", "ledger.db")
    assert result.code == 0, result.stderr
    assert len(cancels(sandbox)) == 20
    assert {arrival.credential for arrival in sandbox.arrivals()} == {PRINTS["rome"]}


def test_a_signal_drains_all(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    owners = share_out(serve(sandbox, [Wanted()] * 60))
    words = [
        "run",
        str(write("a.csv", as_csv(owners))),
        "--accounts",
        "accounts.toml",
        "--ledger",
        "ledger.db",
        "--yes",
    ]
    words += ["--json", *QUICK, "--rate", "10/s", "--burst", "5"]
    process = shell.start(*words)
    until = time.monotonic() + 30
    while len(cancels(sandbox)) < 20 and time.monotonic() < until:
        time.sleep(0.01)
    process.send(signal.SIGTERM)
    assert process.wait() == 5
    told = process.stdout.read_text()
    assert "Stopped by SIGTERM." in told
    assert "The account" not in told


def test_doctor_and_config_show_know_each_account(shell: Shell, sandbox: Sandbox, write: Write) -> None:
    serve(sandbox, [Wanted()])
    job = write("job.toml", 'input = "a.csv"\naccounts = "accounts.toml"\n')
    write("a.csv", "id,account\n")
    shell.environ["TOKEN_ROME"] = EXPIRED_TOKEN
    del shell.environ["TOKEN_PARIS"]
    found = shell("doctor", str(job), "--json")
    levels = {check["name"]: check["level"] for check in found.summary["checks"]}
    assert levels["API of berlin"] == "ok"
    assert levels["API of rome"] == "fail"
    assert levels["credential of paris"] == "fail"
    shown = shell("config", "show", str(job), "--json").summary["settings"]
    assert shown["account berlin"]["value"].startswith("personal access token, fingerprint ")
    assert shown["account paris"]["value"].startswith("no credential, by token_env")
    assert not any(token in found.stdout for token in TOKENS.values())
