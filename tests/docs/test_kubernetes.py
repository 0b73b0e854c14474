"""The Kubernetes CronJob: its shape, its exit codes, its time to drain, its command."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml

from bulk_cancel.errors import PERMANENT, Exit
from support.schedules import DRAIN_S, SCHEDULE, is_unattended, job_of

DOCUMENTS: list[Any] = list(yaml.safe_load_all((SCHEDULE / "cronjob.yaml").read_text(encoding="utf-8")))
CLAIM, CRON = DOCUMENTS
JOB = CRON["spec"]["jobTemplate"]["spec"]
POD = JOB["template"]["spec"]
(CONTAINER,) = POD["containers"]


def closed(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """An object with these properties and no others: a name that is misspelt is found."""
    properties = {**required, **optional}
    return {"type": "object", "properties": properties, "required": [*required], "additionalProperties": False}


def each(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


TEXT, COUNT, YES = {"type": "string"}, {"type": "integer", "minimum": 0}, {"type": "boolean"}
CONDITION = closed({"type": {"enum": ["DisruptionTarget"]}})
CODES = closed({"operator": {"enum": ["In", "NotIn"]}, "values": each({**COUNT, "minimum": 1})}, containerName=TEXT)
RULE = closed({"action": {"enum": ["Ignore", "FailJob", "Count"]}}, onExitCodes=CODES, onPodConditions=each(CONDITION))
SECRET_KEY = closed({"name": TEXT, "key": TEXT}, optional=YES)
VARIABLE = closed({"name": TEXT}, value=TEXT, valueFrom=closed({"secretKeyRef": SECRET_KEY}))
CONTAINER_SCHEMA = closed(
    {"name": TEXT, "image": TEXT, "command": each(TEXT), "args": each(TEXT), "env": each(VARIABLE)},
    workingDir=TEXT,
    securityContext=closed(
        {"allowPrivilegeEscalation": {"const": False}, "readOnlyRootFilesystem": {"const": True}},
        capabilities=closed({"drop": {"const": ["ALL"]}}),
    ),
    resources=closed({"requests": {"type": "object"}, "limits": {"type": "object"}}),
    volumeMounts=each(closed({"name": TEXT, "mountPath": TEXT}, readOnly=YES)),
)
POD_SCHEMA = closed(
    {"restartPolicy": {"const": "Never"}, "containers": each(CONTAINER_SCHEMA), "terminationGracePeriodSeconds": COUNT},
    automountServiceAccountToken={"const": False},
    securityContext=closed(
        {"runAsNonRoot": {"const": True}, "runAsUser": {**COUNT, "minimum": 1000}},
        runAsGroup=COUNT,
        fsGroup=COUNT,
        seccompProfile=closed({"type": {"const": "RuntimeDefault"}}),
    ),
    volumes=each(
        closed(
            {"name": TEXT},
            persistentVolumeClaim=closed({"claimName": TEXT}),
            configMap=closed({"name": TEXT}),
            emptyDir=closed({}),
        )
    ),
)
CRON_SCHEMA = closed(
    {
        "apiVersion": {"const": "batch/v1"},
        "kind": {"const": "CronJob"},
        "metadata": closed({"name": TEXT}),
        "spec": closed(
            {
                "schedule": {"type": "string", "pattern": r"^\d+ \d+ \* \* \*$"},
                "timeZone": {"type": "string", "pattern": "^[A-Z][a-z]+/[A-Z][a-z]+$"},
                "concurrencyPolicy": {"const": "Forbid"},
                "startingDeadlineSeconds": {**COUNT, "minimum": 10},
                "jobTemplate": closed(
                    {
                        "spec": closed(
                            {"template": closed({"spec": POD_SCHEMA}), "backoffLimit": COUNT},
                            podFailurePolicy=closed({"rules": each(RULE)}),
                        )
                    }
                ),
            },
            successfulJobsHistoryLimit=COUNT,
            failedJobsHistoryLimit=COUNT,
        ),
    }
)


def test_the_file_matches_the_schema_of_a_cron_job() -> None:
    jsonschema.validate(CRON, CRON_SCHEMA)


def test_a_misspelt_key_does_not_match_the_schema() -> None:
    wrong = {**CRON, "spec": {**CRON["spec"], "timezone": "Europe/Berlin"}}
    with pytest.raises(jsonschema.ValidationError, match="timezone"):
        jsonschema.validate(wrong, CRON_SCHEMA)


def test_permanent_exit_codes_are_not_tried_again() -> None:
    (rule,) = (rule for rule in JOB["podFailurePolicy"]["rules"] if rule["action"] == "FailJob")
    assert set(rule["onExitCodes"]["values"]) == {int(code) for code in PERMANENT}
    assert rule["onExitCodes"]["containerName"] == CONTAINER["name"]
    assert not PERMANENT & {Exit.OK, Exit.UNKNOWN, Exit.STOPPED, Exit.UNREACHABLE, Exit.DISK, Exit.LOCKED}


def test_it_is_given_the_time_to_drain() -> None:
    assert POD["terminationGracePeriodSeconds"] >= DRAIN_S


def test_the_command_runs_unattended_and_keeps_its_ledger() -> None:
    assert is_unattended(job_of([*CONTAINER["command"], *CONTAINER["args"]]))
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in CONTAINER["volumeMounts"]}
    variables = {variable["name"]: variable for variable in CONTAINER["env"]}
    state = mounts[variables["XDG_STATE_HOME"]["value"]]
    assert state["persistentVolumeClaim"]["claimName"] == CLAIM["metadata"]["name"]
    assert CONTAINER["workingDir"] in mounts, "the results go where the process stands"
    assert "value" not in variables["MEETERGO_TOKEN"]
