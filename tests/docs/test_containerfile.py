"""The image: small, without rights, of hashed files alone, and the one that compose and Kubernetes name.

`processes/installed/test_image.py` builds it where a builder and its base can be had; here it is read.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bulk_cancel.access.places import sign_of_life
from bulk_cancel.version import version
from support.schedules import ROOT, SCHEDULE

FILE = SCHEDULE / "Containerfile"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IMAGE = f"bulk-cancel:{version()}"
STATE = "/var/lib/bulk-cancel"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions, each a word and what follows it, with their lines joined."""
    text = re.sub(r"^#.*\n", "", FILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]


STEPS = instructions()
BEGIN = max(number for number, (word, _) in enumerate(STEPS) if word == "FROM")
FINAL = STEPS[BEGIN:]


def only(word: str) -> str:
    """Return what follows the one instruction of that name in the last stage."""
    (rest,) = (rest for name, rest in FINAL if name == word)
    return rest


def test_a_linter_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    if not linter.exists():
        pytest.skip("there is no hadolint for this machine")
    done = subprocess.run([linter, "--no-color", FILE], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_is_one_version_of_python_that_is_tested_and_can_be_named_by_its_digest() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(\S+)$", FILE.read_text(encoding="utf-8"), re.MULTILINE)
    assert re.fullmatch(r"python:3\.\d+-slim", base)
    number = base.removeprefix("python:").removesuffix("-slim")
    assert f"Programming Language :: Python :: {number}" in PROJECT["classifiers"]
    assert {rest.partition(" ")[0] for word, rest in STEPS if word == "FROM"} == {"${PYTHON}"}


def test_every_download_is_checked_against_its_hash() -> None:
    commands = [part.strip() for word, rest in STEPS if word == "RUN" for part in rest.split("&&")]
    installs = [command for command in commands if " install " in f" {command} " and "pip" in command]
    assert len(installs) == 3
    for install in installs:
        assert "--require-hashes" in install or install.endswith("--no-deps /dist/*.whl"), install
    (build,) = [command for command in commands if command.startswith("uv build")]
    assert "--build-constraint requirements.lock --require-hashes" in build
    assert not re.search(r"curl|wget|apt-get|\bADD\b|--index|--extra-index", "\n".join(commands))


def test_the_build_takes_uv_out_of_the_lock_with_its_hashes() -> None:
    (script,) = re.findall(r"sed -n ('[^']+') requirements.lock", FILE.read_text(encoding="utf-8"))
    command = f"sed -n {script} requirements.lock"
    printed = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    first, *hashes = printed.splitlines()
    assert re.fullmatch(r"uv==[\d.]+ \\", first)
    assert hashes
    assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in hashes)


def test_the_image_has_every_extra() -> None:
    (install,) = (part for _, rest in STEPS for part in rest.split("&&") if "--extra" in part)
    named = set(re.findall(r"--extra (\w+)", install))
    assert named == {name for name, needs in PROJECT["optional-dependencies"].items() if needs}


def test_the_program_is_the_first_process_and_has_no_rights() -> None:
    assert json.loads(only("ENTRYPOINT")) == ["bulk-cancel"], "no shell in between, which would keep signals to itself"
    assert only("STOPSIGNAL") == "SIGTERM"
    uid, gid = only("USER").split(":")
    assert int(uid) == int(gid) >= 10_000
    assert [word for word, _ in FINAL].index("USER") < [word for word, _ in FINAL].index("ENTRYPOINT")
    assert (only("WORKDIR"), only("VOLUME")) == (STATE, STATE)
    assert f"XDG_STATE_HOME={STATE}" in only("ENV")


def test_nothing_of_the_build_but_the_program_is_in_it() -> None:
    assert only("COPY") == "--from=build /opt/bulk-cancel /opt/bulk-cancel"
    assert not re.search("TOKEN|PASSWORD|SECRET|KEY", FILE.read_text(encoding="utf-8"))


def test_the_build_sees_no_secrets_and_no_history() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {"jobs/schedule/secrets", "jobs/schedule/results"} <= set(rules)
    taken = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert {"pyproject.toml", "requirements.lock", "src", "docs", "jobs", "sample_inputs", "README.md"} <= taken
    assert all((ROOT / name).exists() for name in taken)


@pytest.mark.parametrize(("age_min", "healthy"), [(None, True), (0, True), (10, False)])
def test_a_worker_that_shows_no_sign_of_life_is_unwell(tmp_path: Path, age_min: int | None, healthy: bool) -> None:
    words = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    sign = sign_of_life(tmp_path / "bulk-cancel")
    if age_min is not None:
        sign.parent.mkdir()
        subprocess.run(["touch", "-d", f"{age_min} minutes ago", sign], check=True)
    done = subprocess.run(words, env={"XDG_STATE_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"})
    assert (done.returncode == 0) is healthy


def test_kubernetes_asks_for_the_same_sign() -> None:
    documents = yaml.safe_load_all((SCHEDULE / "kubernetes-cluster.yaml").read_text(encoding="utf-8"))
    (container,) = next(one for one in documents if one["kind"] == "StatefulSet")["spec"]["template"]["spec"][
        "containers"
    ]
    state = next(one["value"] for one in container["env"] if one["name"] == "XDG_STATE_HOME")
    probe = container["livenessProbe"]["exec"]["command"]
    assert str(sign_of_life(Path(state) / "bulk-cancel")) in probe[-1]


def test_compose_and_kubernetes_name_the_image_of_this_file() -> None:
    compose = yaml.safe_load((SCHEDULE / "compose.yaml").read_text(encoding="utf-8"))
    build = compose["x-program"]["build"]
    assert (SCHEDULE / build["context"] / build["dockerfile"]).resolve() == FILE
    own = {line.split()[1] for path in SCHEDULE.iterdir() for line in _image_lines(path)}
    assert own == {IMAGE, "postgres:18"}
    pages = [FILE, ROOT / "docs/guides/nightly.md"]
    assert all(
        f"build -t {IMAGE} -f jobs/schedule/Containerfile ." in page.read_text(encoding="utf-8") for page in pages
    )


def _image_lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if re.match(r" *image: ", line)]
