"""Every object of every scenario is what its Kubernetes version, or its custom resource, allows, and nothing else."""

import copy
from collections.abc import Iterable
from typing import Any

import pytest

from support.chart import CHART, RELEASE, SCENARIOS, VERSIONS, errors, helm, key, named, objects, scenario, template
from support.manifests import Manifest

#: One object of each kind the chart makes, with a change that its schema must notice.
BREAKS: list[tuple[str, str, tuple[str | int, ...], Any]] = [
    ("values-gke", "Deployment/ey-data-platform-consumer", ("spec", "template", "spec", "terminationGracePeriod"), 40),
    ("values-gke", "Deployment/ey-data-platform-poller", ("spec", "strategy", "type"), 7),
    ("values-gke", "CronJob/ey-data-platform-dbt", ("spec", "timezone"), "Etc/UTC"),
    ("values-gke", "Job/ey-data-platform-provision", ("spec", "podFailurePolicy", "rules", 0, "onExit"), {}),
    ("values-gke", "HorizontalPodAutoscaler/ey-data-platform-consumer", ("spec", "metrics", 0, "kind"), "External"),
    ("values-gke", "NetworkPolicy/ey-data-platform-dns", ("spec", "egress", 0, "ports", 0, "number"), 53),
    ("values-gke", "PodDisruptionBudget/ey-data-platform-poller", ("spec", "maxUnavailable"), 1.5),
    ("values-gke", "ConfigMap/ey-data-platform", ("data", "EYDP_METRICS_PORT"), 9090),
    ("values-gke", "ServiceAccount/ey-data-platform-poller", ("automountServiceAccountToken",), "false"),
    ("values-gke", "Pod/ey-data-platform-doctor", ("spec", "containers", 0, "readiness"), {}),
    ("values-gke", "PodMonitoring/ey-data-platform", ("spec", "endpoints", 0, "port"), None),
    ("keda-operator", "PodMonitor/ey-data-platform", ("spec", "podMetricsEndpoints"), {}),
    ("values-gke", "Rules/ey-data-platform", ("spec", "groups", 0, "rules", 0, "labels"), ["critical"]),
    ("values-gke", "GlobalRules/ey-data-platform-shop", ("spec", "groups", 0, "name"), None),
    ("keda-operator", "PrometheusRule/ey-data-platform", ("spec", "groups", 0, "rules", 0, "for"), "soon"),
    ("keda-operator", "ScaledObject/ey-data-platform-consumer", ("spec", "maxReplicaCount"), "20"),
    ("keda-operator", "ScaledObject/ey-data-platform-consumer", ("triggers",), []),
    ("push-gateway", "Service/ey-data-platform-push", ("spec", "ports", 0, "targetport"), "http"),
    ("push-gateway", "HTTPRoute/ey-data-platform-push", ("spec", "rules", 0, "backendRefs", 0, "port"), "8080"),
    ("push-gateway", "HTTPRoute/ey-data-platform-push", ("spec", "hostnames"), ["not a name"]),
    ("push-gateway", "HealthCheckPolicy/ey-data-platform-push", ("spec", "default", "port"), 9090),
    ("push-ingress", "Ingress/ey-data-platform-push", ("spec", "rules", 0, "http", "paths", 0, "pathType"), None),
    ("everything", "BackendConfig/ey-data-platform-push", ("spec", "healthCheck", "path"), "/readyz"),
    ("secret-manager", "SecretProviderClass/ey-data-platform-poller", ("spec", "parameters", "secrets"), []),
    ("external-secrets", "ExternalSecret/ey-data-platform-batch", ("spec", "secretStoreRef", "name"), 1),
]


def complaints(manifests: Iterable[Manifest], kubernetes: str) -> dict[str, tuple[str, ...]]:
    return {key(manifest): found for manifest in manifests if (found := errors(manifest, kubernetes))}


@pytest.mark.parametrize("kubernetes", VERSIONS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_object_fits_the_strict_schema_of_every_version(name: str, kubernetes: str) -> None:
    assert complaints(scenario(name), kubernetes) == {}


def test_what_is_rendered_does_not_depend_on_the_version() -> None:
    """So that the test above may render once; the long campaign renders for each version."""
    templates = (CHART / "templates").rglob("*.*")

    assert [path.name for path in templates if ".Capabilities" in path.read_text()] == []
    assert template([SCENARIOS["everything"]], kubernetes=VERSIONS[0]) == template([SCENARIOS["everything"]])


@pytest.mark.long
@pytest.mark.parametrize("kubernetes", VERSIONS)
@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_rendered_for_each_version_fits_it(name: str, kubernetes: str) -> None:
    assert complaints(objects(template([SCENARIOS[name]], kubernetes=kubernetes)), kubernetes) == {}


@pytest.mark.parametrize("kubernetes", ["1.29.9", "1.25.0"])
def test_an_older_kubernetes_is_refused(kubernetes: str) -> None:
    done = helm("template", RELEASE, str(CHART), "--set=project=p", f"--kube-version={kubernetes}")

    assert done.returncode != 0
    assert "requires kubeVersion: >=1.30.0-0" in done.stderr


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_two_objects_of_a_release_share_kind_and_name(name: str) -> None:
    keys = [key(manifest) for manifest in scenario(name)]

    assert len(keys) == len(set(keys))


@pytest.mark.parametrize(("name", "wanted", "path", "value"), BREAKS)
def test_the_schemas_notice_what_is_wrong(name: str, wanted: str, path: tuple[str | int, ...], value: Any) -> None:
    manifest = copy.deepcopy(named(scenario(name), wanted))
    place: Any = manifest
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value

    assert errors(manifest, VERSIONS[0]) != ()
    assert errors(manifest, VERSIONS[-1]) != ()


def test_every_kind_that_the_chart_makes_is_among_those_that_were_broken() -> None:
    made = {manifest["kind"] for name in SCENARIOS for manifest in scenario(name)}

    assert made == {wanted.partition("/")[0] for _, wanted, _, _ in BREAKS}
