"""jobs/schedule/kubernetes-postgres.yaml: one server, its data on a volume of its own, its password elsewhere."""

from __future__ import annotations

import re
from typing import Any

import yaml

from support.schedules import SCHEDULE

TEXT = (SCHEDULE / "kubernetes-postgres.yaml").read_text(encoding="utf-8")
SERVICE, SERVER = yaml.safe_load_all(TEXT)
POD: dict[str, Any] = SERVER["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_the_service_selects_the_database_server() -> None:
    labels = SERVER["spec"]["template"]["metadata"]["labels"]
    assert SERVICE["spec"]["selector"] == SERVER["spec"]["selector"]["matchLabels"] == labels
    assert SERVER["spec"]["serviceName"] == SERVICE["metadata"]["name"]
    assert {port["port"] for port in SERVICE["spec"]["ports"]} == {p["containerPort"] for p in CONTAINER["ports"]}
    assert f"@{SERVICE['metadata']['name']}/bulk_cancel" in TEXT, "the ledger's address, for who makes the secret"


def test_there_is_one_ledger_and_it_stays() -> None:
    assert SERVER["spec"]["replicas"] == 1
    (claim,) = SERVER["spec"]["volumeClaimTemplates"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts[claim["metadata"]["name"]] == "/var/lib/postgresql", "where the image of version 18 keeps its data"
    assert not any("fsync" in word or "synchronous_commit" in word for word in CONTAINER["args"])


def test_the_database_has_no_secret_in_its_file_and_no_needless_rights() -> None:
    password = next(one for one in CONTAINER["env"] if one["name"] == "POSTGRES_PASSWORD")
    assert set(password) == {"name", "valueFrom"}
    assert not re.search(r"password: \S", TEXT)
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert CONTAINER["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert POD["automountServiceAccountToken"] is False
