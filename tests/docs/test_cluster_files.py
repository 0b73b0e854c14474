"""The files for workers: what they promise, and that none of them holds a secret."""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import jsonschema
import pytest
import yaml

from bulk_cancel.cli.main import app
from bulk_cancel.core.units import parse_duration
from bulk_cancel.errors import PERMANENT
from bulk_cancel.settings.credentials import SYSTEMD_NAME
from bulk_cancel.settings.job import Job
from docs.test_kubernetes import CODES, CONDITION, COUNT, RULE, TEXT, YES, closed, each
from support.schedules import SCHEDULE, is_unattended, job_of

NAMES = ("compose.yaml", "kubernetes-cluster.yaml", "bulk-cancel-worker@.service")
COMPOSE: dict[str, Any] = yaml.safe_load((SCHEDULE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
WORKERS = {name: service for name, service in SERVICES.items() if "worker" in service["command"]}
DOCUMENTS: list[Any] = list(yaml.safe_load_all((SCHEDULE / "kubernetes-cluster.yaml").read_text(encoding="utf-8")))
HEADLESS, WORKER_SET, BUDGET, RUN = DOCUMENTS
POD = WORKER_SET["spec"]["template"]["spec"]
RUN_POD = RUN["spec"]["template"]["spec"]


def drain_s() -> float:
    """What a worker that is told to stop may take, and as much again for a slow database."""
    worker = pytest.importorskip("bulk_cancel.cluster.worker", reason="there is no dbos", exc_type=ImportError)
    return 1.5 * max(Job.model_fields["timeout"].default, worker._DRAIN_S)


def worker_options(command: Sequence[str]) -> dict[str, Any]:
    """Parse a worker's command with the real command line."""
    group: Any = app
    assert command[0].rpartition("/")[2] == "bulk-cancel"
    name, inner, words = group.resolve_command(
        group.make_context("", list(command[1:]), resilient_parsing=True), list(command[1:])
    )
    assert name == "worker"
    return dict(inner.make_context(name, words, resilient_parsing=True).params)


def in_the_image(service: dict[str, Any]) -> list[str]:
    """Return what a service of compose starts: the image's own program, with the service's words."""
    return ["bulk-cancel", *service["command"]]


def silence_of(command: Sequence[str]) -> float:
    return parse_duration(worker_options(command)["silence"])


@pytest.mark.parametrize("name", NAMES)
def test_none_of_them_holds_a_secret(name: str) -> None:
    text = (SCHEDULE / name).read_text(encoding="utf-8")
    assert not re.search(r"(?<!meete)rgo-\w|ak_live|://[^\s@/:]*:[^\s@]*@", text)
    assert not re.search(r"(?i)(password|token)[=:] *[^\s/#]*[a-z0-9]{6}", re.sub(r"(?m)^ *#.*", "", text))


# -- compose ----------------------------------------------------------------------------------------------------------


def test_compose_has_two_workers_of_different_names() -> None:
    ids = [worker["environment"]["BULK_CANCEL_EXECUTOR_ID"] for worker in WORKERS.values()]
    assert len(ids) == len(set(ids)) >= 2
    assert not any("deploy" in worker or "scale" in worker for worker in WORKERS.values()), "they would share a name"


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_of_compose_comes_back_and_is_given_the_time_to_drain(name: str) -> None:
    worker = WORKERS[name]
    assert worker["restart"] == "unless-stopped"
    assert worker["stop_signal"] == "SIGTERM"
    assert parse_duration(worker["stop_grace_period"]) >= drain_s()
    assert worker["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert silence_of(in_the_image(worker)) > Job.model_fields["timeout"].default


@pytest.mark.parametrize("name", [*WORKERS, "run"])
def test_a_container_of_compose_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]


def test_secrets_of_compose_are_files() -> None:
    assert all(set(secret) == {"file"} for secret in COMPOSE["secrets"].values())
    for service in SERVICES.values():
        assert set(service["secrets"]) <= set(COMPOSE["secrets"])
        for name, value in service["environment"].items():
            if re.search("PASS|TOKEN|KEY", name):
                assert value.removeprefix("/run/secrets/") in service["secrets"], name


def test_the_database_of_compose_stays() -> None:
    postgres = SERVICES["postgres"]
    assert postgres["image"] == "postgres:18"
    (mount,) = postgres["volumes"]
    volume, path = mount.split(":")
    assert volume in COMPOSE["volumes"]
    assert path == "/var/lib/postgresql", "from 18 on the image keeps its data below this, in a folder per version"
    assert "pg_isready" in postgres["healthcheck"]["test"][1]
    assert not any("fsync" in word or "synchronous_commit" in word for word in postgres["command"])


def test_a_run_of_compose_is_one_and_unattended() -> None:
    run = SERVICES["run"]
    job = job_of(in_the_image(run))
    assert is_unattended(job)
    assert job.engine == "dbos"
    assert (run["restart"], run["profiles"]) == ("no", ["run"])
    assert run["environment"]["BULK_CANCEL_LEDGER"].startswith("postgresql://")


# -- Kubernetes -------------------------------------------------------------------------------------------------------

SELECTOR = closed({"matchLabels": closed({"app": TEXT})})
KEY = closed({"name": TEXT, "key": TEXT}, optional=YES)
FIELD = closed({"fieldPath": {"enum": ["metadata.name"]}})
CONTAINER = closed(
    {
        "name": TEXT,
        "image": TEXT,
        "command": each(TEXT),
        "args": each(TEXT),
        "env": each(closed({"name": TEXT}, value=TEXT, valueFrom=closed({}, secretKeyRef=KEY, fieldRef=FIELD))),
        "securityContext": closed(
            {
                "allowPrivilegeEscalation": {"const": False},
                "readOnlyRootFilesystem": {"const": True},
                "capabilities": closed({"drop": {"const": ["ALL"]}}),
            }
        ),
        "resources": closed({"requests": {"type": "object"}, "limits": {"type": "object"}}),
        "volumeMounts": each(closed({"name": TEXT, "mountPath": TEXT}, readOnly=YES)),
    },
    workingDir=TEXT,
    livenessProbe=closed(
        {"exec": closed({"command": each(TEXT)})}, initialDelaySeconds=COUNT, periodSeconds=COUNT, timeoutSeconds=COUNT
    ),
)
VOLUME = closed(
    {"name": TEXT},
    configMap=closed({"name": TEXT}),
    secret=closed({"secretName": TEXT, "defaultMode": {"const": 0o440}}),
    persistentVolumeClaim=closed({"claimName": TEXT}),
    emptyDir=closed({}),
)
SPREAD = closed({"maxSkew": COUNT, "topologyKey": TEXT, "whenUnsatisfiable": TEXT, "labelSelector": SELECTOR})
POD_SCHEMA = closed(
    {
        "terminationGracePeriodSeconds": COUNT,
        "automountServiceAccountToken": {"const": False},
        "securityContext": closed(
            {
                "runAsNonRoot": {"const": True},
                "runAsUser": {**COUNT, "minimum": 1000},
                "runAsGroup": COUNT,
                "fsGroup": COUNT,
                "seccompProfile": closed({"type": {"const": "RuntimeDefault"}}),
            }
        ),
        "containers": each(CONTAINER),
        "volumes": each(VOLUME),
    },
    restartPolicy={"const": "Never"},
    topologySpreadConstraints=each(SPREAD),
)
TEMPLATE = closed({"metadata": closed({"labels": closed({"app": TEXT})}), "spec": POD_SCHEMA})
META = closed({"name": TEXT})


def document(version: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A Kubernetes document of a kind."""
    return closed({"apiVersion": {"const": version}, "kind": {"const": kind}, "metadata": META, "spec": spec})


SHAPES = (
    document("v1", "Service", closed({"clusterIP": {"const": "None"}, "selector": closed({"app": TEXT})})),
    document(
        "apps/v1",
        "StatefulSet",
        closed(
            {"serviceName": TEXT, "replicas": COUNT, "selector": SELECTOR, "template": TEMPLATE},
            podManagementPolicy={"enum": ["Parallel", "OrderedReady"]},
        ),
    ),
    document("policy/v1", "PodDisruptionBudget", closed({"selector": SELECTOR}, maxUnavailable=COUNT)),
    document(
        "batch/v1",
        "Job",
        closed({"template": TEMPLATE, "backoffLimit": COUNT}, podFailurePolicy=closed({"rules": each(RULE)})),
    ),
)


def test_the_documents_have_the_shape_of_their_kinds() -> None:
    for found, shape in zip(DOCUMENTS, SHAPES, strict=True):
        jsonschema.validate(found, shape)


def test_a_pods_name_is_its_executor_id_and_it_may_drain() -> None:
    (worker,) = POD["containers"]
    variables = {variable["name"]: variable.get("valueFrom", {}) for variable in worker["env"]}
    assert variables["BULK_CANCEL_EXECUTOR_ID"]["fieldRef"]["fieldPath"] == "metadata.name"
    assert POD["terminationGracePeriodSeconds"] >= drain_s()
    assert silence_of([*worker["command"], *worker["args"]]) > Job.model_fields["timeout"].default
    assert WORKER_SET["spec"]["serviceName"] == HEADLESS["metadata"]["name"]


def test_labels_and_selectors_agree() -> None:
    labels = WORKER_SET["spec"]["template"]["metadata"]["labels"]
    spread = POD["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"]
    budget, own = (one["spec"]["selector"]["matchLabels"] for one in (BUDGET, WORKER_SET))
    assert labels == spread == budget == own == HEADLESS["spec"]["selector"]
    assert RUN["spec"]["template"]["metadata"]["labels"] != labels, "the budget would count the run as a worker"


@pytest.mark.parametrize("pod", [POD, RUN_POD], ids=["worker", "run"])
def test_every_mount_has_a_volume_and_every_secret_is_a_reference(pod: dict[str, Any]) -> None:
    (container,) = pod["containers"]
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    for variable in container["env"]:
        if re.search("PASS|TOKEN|LEDGER|NOTIFY", variable["name"]):
            assert "secretKeyRef" in variable["valueFrom"], variable["name"]


def test_the_run_is_unattended_and_does_not_repeat_what_only_a_person_can_mend() -> None:
    (container,) = RUN_POD["containers"]
    job = job_of([*container["command"], *container["args"]])
    assert is_unattended(job)
    assert job.engine == "dbos"
    (rule,) = (rule for rule in RUN["spec"]["podFailurePolicy"]["rules"] if rule["action"] == "FailJob")
    jsonschema.validate(rule["onExitCodes"], CODES)
    assert set(rule["onExitCodes"]["values"]) == {int(code) for code in PERMANENT}
    for rule in RUN["spec"]["podFailurePolicy"]["rules"]:
        for condition in rule.get("onPodConditions", []):
            jsonschema.validate(condition, CONDITION)


# -- systemd ----------------------------------------------------------------------------------------------------------


def settings() -> dict[str, list[str]]:
    """The settings of the worker's unit; some are given more than once."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (SCHEDULE / "bulk-cancel-worker@.service").read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_each_worker_unit_has_its_own_executor_id() -> None:
    assert "BULK_CANCEL_EXECUTOR_ID=%H-%i" in settings()["Environment"]


def test_the_unit_comes_back_for_ever_and_is_given_the_time_to_drain() -> None:
    unit = settings()
    assert (unit["Restart"], unit["StartLimitIntervalSec"]) == (["always"], ["0"])
    assert unit["KillSignal"] == ["SIGTERM"]
    assert parse_duration(unit["TimeoutStopSec"][0]) >= drain_s()
    assert silence_of(shlex.split(unit["ExecStart"][0])) > Job.model_fields["timeout"].default


def test_the_secrets_of_the_worker_unit_are_credentials_of_systemd() -> None:
    unit = settings()
    names = [value.split(":")[0] for value in unit["LoadCredential"]]
    assert SYSTEMD_NAME in names
    assert "PGPASSFILE=%d/pgpass" in unit["Environment"]
    assert "pgpass" in names


def test_the_worker_unit_is_as_confined_as_the_nightly_one() -> None:
    nightly = (SCHEDULE / "bulk-cancel.service").read_text(encoding="utf-8").split("UMask=")[1].split("\n# ")[0]
    own = (SCHEDULE / "bulk-cancel-worker@.service").read_text(encoding="utf-8").split("UMask=")[1]
    assert set(nightly.split()) <= set(own.split())
