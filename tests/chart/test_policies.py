"""What every pod of every scenario keeps to, whatever the values."""

import re
from typing import Any

import pytest

from dataplatform import errors as platform_errors
from support.chart import SCENARIOS, key, pods, quantity, scenario, settings_of
from support.manifests import Manifest

USER = 10001
_SECRET_WORDS = re.compile(r"(?i)secret|password|token|salt|hmac|credential|api_?key")
#: Fields that would let a pod out of its box; none of them may appear.
_HOST = ("hostNetwork", "hostPID", "hostIPC", "hostUsers", "shareProcessNamespace", "hostAliases")
#: The kinds of volume that the restricted Pod Security Standard allows, as far as the chart uses them.
_VOLUMES = {"emptyDir", "secret", "csi"}

every_scenario = pytest.mark.parametrize("name", SCENARIOS)


def containers(pod: Manifest) -> list[Manifest]:
    spec = pod["spec"]
    return [*spec["containers"], *spec.get("initContainers", [])]


def every_pod(name: str) -> list[tuple[str, Manifest]]:
    found = list(pods(scenario(name)))
    assert found
    return found


@every_scenario
def test_every_pod_is_restricted(name: str) -> None:
    for owner, pod in every_pod(name):
        spec = pod["spec"]
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True, owner
        assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == USER, owner
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}, owner
        assert [field for field in _HOST if field in spec] == [], owner
        for volume in spec["volumes"]:
            assert set(volume) - {"name"} <= _VOLUMES, owner
        for container in containers(pod):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "runAsNonRoot": True,
                "capabilities": {"drop": ["ALL"]},
            }, owner
            assert all("hostPort" not in port for port in container.get("ports", [])), owner


@every_scenario
def test_no_pod_has_a_token_of_the_kubernetes_api_or_the_addresses_of_services(name: str) -> None:
    for owner, pod in every_pod(name):
        assert pod["spec"]["automountServiceAccountToken"] is False, owner
        assert pod["spec"]["enableServiceLinks"] is False, owner
    for manifest in scenario(name):
        if manifest["kind"] == "ServiceAccount":
            assert manifest["automountServiceAccountToken"] is False


@every_scenario
def test_every_container_asks_for_what_it_needs_and_is_bounded(name: str) -> None:
    for owner, pod in every_pod(name):
        for container in containers(pod):
            resources = container["resources"]
            assert {"cpu", "memory"} <= set(resources["requests"]), owner
            assert {"cpu", "memory"} <= set(resources["limits"]), owner
            for what in ("cpu", "memory"):
                assert quantity(resources["requests"][what]) <= quantity(resources["limits"][what]), (owner, what)
        for volume in pod["spec"]["volumes"]:
            assert "emptyDir" not in volume or "sizeLimit" in volume["emptyDir"], owner


def test_on_autopilot_no_request_is_raised() -> None:
    """It raises requests below 50m and 52 MiB, and memory below 1 GiB or CPU below 1/6.5 of the GiB."""
    for owner, pod in every_pod("values-autopilot"):
        for container in containers(pod):
            cpu, memory = (quantity(container["resources"]["requests"][what]) for what in ("cpu", "memory"))
            assert cpu >= 0.05, owner
            assert memory >= 52 * 2**20, owner
            assert 1 <= memory / 2**30 / cpu <= 6.5, owner


@every_scenario
def test_every_image_is_a_certain_one(name: str) -> None:
    for owner, pod in every_pod(name):
        for container in containers(pod):
            image = container["image"]
            assert re.search(r":[0-9][\w.-]*$|@sha256:[0-9a-f]{64}$", image), (owner, image)
            assert "latest" not in image, owner


@every_scenario
def test_no_environment_holds_a_secret(name: str) -> None:
    manifests = scenario(name)
    for owner, pod in every_pod(name):
        for container in containers(pod):
            assert [source for source in container["envFrom"] if "configMapRef" not in source] == [], owner
            for variable in container["env"]:
                assert set(variable) == {"name", "value"}, owner
                if _SECRET_WORDS.search(variable["name"]):
                    # It leads to a file, and only so may it be called after a secret.
                    assert variable["value"].startswith("/var/run/secrets/ey-data-platform/"), owner
    for manifest in manifests:
        if manifest["kind"] == "ConfigMap":
            assert [variable for variable in manifest["data"] if _SECRET_WORDS.search(variable)] == []
        assert manifest["kind"] != "Secret"


@every_scenario
def test_programs_that_serve_are_probed_at_their_health_endpoints(name: str) -> None:
    for owner, pod in every_pod(name):
        for container in containers(pod):
            probed = {
                kind: container.get(f"{kind}Probe", {}).get("httpGet") for kind in ("startup", "liveness", "readiness")
            }
            if owner.startswith("Deployment/"):
                live, ready = {"path": "/livez", "port": "metrics"}, {"path": "/readyz", "port": "metrics"}
                assert probed == {"startup": live, "liveness": live, "readiness": ready}, owner
                ports = {port["name"]: port["containerPort"] for port in container["ports"]}
                assert ports == {"metrics": 9090} | ({"http": 8080} if owner.endswith("-push") else {}), owner
            else:
                assert set(probed.values()) == {None}, owner


@every_scenario
def test_the_startup_probe_outlasts_the_time_in_which_a_program_gives_up_by_itself(name: str) -> None:
    manifests = scenario(name)
    for owner, pod in every_pod(name):
        if not owner.startswith("Deployment/"):
            continue
        settings = settings_of(manifests, pod)
        probe = pod["spec"]["containers"][0]["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] >= float(settings["EYDP_RETRY_DEADLINE_SECONDS"]) + 60


@every_scenario
def test_the_grace_period_outlasts_the_drain(name: str) -> None:
    manifests = scenario(name)
    for owner, pod in every_pod(name):
        if not owner.startswith("Deployment/"):
            continue
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        drain = float(settings_of(manifests, pod)[f"EYDP_{component.upper()}_DRAIN_TIMEOUT_SECONDS"])
        hook = pod["spec"]["containers"][0].get("lifecycle", {}).get("preStop", {"sleep": {"seconds": 0}})
        assert hook["sleep"]["seconds"] > 0 or component != "push" or name == "push-ingress"
        assert pod["spec"]["terminationGracePeriodSeconds"] >= drain + hook["sleep"]["seconds"] + 15, owner


@every_scenario
def test_every_pod_has_settings_and_an_account_that_are_there(name: str) -> None:
    manifests = scenario(name)
    accounts = {
        manifest["metadata"]["name"]: manifest for manifest in manifests if manifest["kind"] == "ServiceAccount"
    }
    for owner, pod in every_pod(name):
        assert settings_of(manifests, pod)["EYDP_PROJECT"], owner
        if name != "config-connector":  # where somebody else makes the accounts
            assert pod["spec"]["serviceAccountName"] in accounts, owner


@every_scenario
def test_a_hook_needs_nothing_that_is_made_after_it(name: str) -> None:
    """Before an install there are only the objects of earlier hooks."""
    manifests = scenario(name)
    hooks = {key(manifest): manifest for manifest in manifests if "pre-install" in hook(manifest)}
    for owner, manifest in hooks.items():
        if manifest["kind"] != "Job":
            continue
        (source,) = manifest["spec"]["template"]["spec"]["containers"][0]["envFrom"]
        account = manifest["spec"]["template"]["spec"]["serviceAccountName"]
        for needed in (f"ConfigMap/{source['configMapRef']['name']}", f"ServiceAccount/{account}"):
            assert needed in hooks, owner
            assert weight(hooks[needed]) < weight(manifest), owner


def hook(manifest: Manifest) -> str:
    return str(manifest["metadata"].get("annotations", {}).get("helm.sh/hook", ""))


def weight(manifest: Manifest) -> int:
    return int(manifest["metadata"]["annotations"]["helm.sh/hook-weight"])


@every_scenario
def test_jobs_are_bounded_and_know_the_exit_codes(name: str) -> None:
    for manifest in scenario(name):
        job: Any = manifest["spec"] if manifest["kind"] == "Job" else None
        if manifest["kind"] == "CronJob":
            outer = manifest["spec"]
            job = outer["jobTemplate"]["spec"]
            assert outer["concurrencyPolicy"] == "Forbid"
            assert outer["timeZone"]
            bounds = ("startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit", "suspend")
            assert all(bound in outer for bound in bounds)
        if job is None:
            continue
        assert all(job[bound] > 0 for bound in ("activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished"))
        pod = job["template"]["spec"]
        assert pod["restartPolicy"] == "Never"
        rules = job["podFailurePolicy"]["rules"]
        assert rules[0]["action"] == "Ignore"
        assert rules[0]["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
        told = {rule["action"]: set(rule["onExitCodes"]["values"]) for rule in rules[1:]}
        assert {rule["onExitCodes"]["containerName"] for rule in rules[1:]} == {pod["containers"][0]["name"]}
        assert not told["FailJob"] & told["Count"]
        codes = exit_codes()
        assert {codes["InvalidDataError"], codes["PlatformError"]} <= told["FailJob"]
        assert {codes["UnavailableError"], codes["BusyError"]} <= told["Count"]
        assert set(codes.values()) <= told["FailJob"] | told["Count"]
        # A grant may be minutes old when provisioning runs; later a missing one needs a person.
        mended_by_waiting = manifest["metadata"]["name"].endswith("-provision")
        assert codes["ConfigurationError"] in told["Count" if mended_by_waiting else "FailJob"]


def exit_codes() -> dict[str, int]:
    """The exit codes of all the platform's errors, by class."""
    kinds = [platform_errors.PlatformError, *platform_errors.PlatformError.__subclasses__()]
    return {kind.__name__: kind.exit_code for kind in kinds if kind.__module__ == platform_errors.__name__}
