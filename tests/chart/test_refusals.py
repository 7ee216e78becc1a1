"""Values that are wrong or contradict one another end in one sentence, before anything is installed."""

import pytest

from support.chart import helm, refusal, rendered
from support.manifests import ROOT

CHART = str(ROOT / "helm" / "ey-data-platform")
SECRETS = "secrets.files[0].file=salt,secrets.files[0].components={dbt}"


def filed(number: int, folder: str, component: str, file: str = "first") -> str:
    """One of `secrets.files`, for --set."""
    at = f"secrets.files[{number}]"
    return f"{at}.file={file},{at}.folder={folder},{at}.components={{{component}}}"


IN_A_SECRET = "secrets.mode=existingSecret,secrets.existingSecret=shop"
PUSH = ("push.enabled=true", IN_A_SECRET, filed(0, "push-keys", "push"))

CONTRADICTIONS = [
    (("project=",), "project is empty: set it to the Google Cloud project, as in --set project=my-project."),
    (
        ("poller.terminationGracePeriodSeconds=30",),
        (
            "poller.terminationGracePeriodSeconds is 30, but draining takes up to 25 s "
            "(config.EYDP_POLLER_DRAIN_TIMEOUT_SECONDS) and closing 15 s more: give at least 40, or null to derive it."
        ),
    ),
    (
        ("consumer.terminationGracePeriodSeconds=64", "config.EYDP_CONSUMER_DRAIN_TIMEOUT_SECONDS=50"),
        (
            "consumer.terminationGracePeriodSeconds is 64, but draining takes up to 50 s (config."
            "EYDP_CONSUMER_DRAIN_TIMEOUT_SECONDS) and closing 15 s more: give at least 65, or null to derive it."
        ),
    ),
    (
        ("autoscaling.minReplicas=21",),
        "autoscaling.minReplicas is 21, above autoscaling.maxReplicas, which is 20.",
    ),
    (
        ("autoscaling.hpa.backlogPerPod=0", "autoscaling.hpa.oldestAgeSeconds=0", "autoscaling.hpa.cpuPercent=0"),
        "autoscaling.mode is hpa, but every target below autoscaling.hpa is 0: set one, or choose mode none.",
    ),
    (
        ("emulators.enabled=true",),
        "emulators.enabled is true, but no emulator serves Cloud Monitoring's backlog",
    ),
    (
        ("emulators.enabled=true", "autoscaling.mode=none", "emulators.pubsub=pubsub:8085"),
        (
            "emulators.enabled is true, but emulators.storage is empty: give all four addresses, or the programs would "
            "use Google Cloud for the missing one."
        ),
    ),
    (
        ("autoscaling.mode=keda", "monitoring.mode=gmp"),
        "autoscaling.mode is keda, but autoscaling.keda.serverAddress is empty",
    ),
    (
        ("autoscaling.mode=keda", "autoscaling.keda.serverAddress=http://prometheus"),
        "but monitoring.mode is none, so nobody scrapes them: choose gmp or operator.",
    ),
    (
        (
            "autoscaling.mode=keda",
            "monitoring.mode=gmp",
            "autoscaling.keda.serverAddress=http://prometheus",
            "autoscaling.keda.saturationPerPod=0",
            "autoscaling.keda.backlogPerPod=0",
        ),
        "autoscaling.keda.saturationPerPod and autoscaling.keda.backlogPerPod are both 0: set one, since the fallback",
    ),
    (
        (
            "autoscaling.mode=keda",
            "monitoring.mode=gmp",
            "autoscaling.keda.serverAddress=http://prometheus",
            "autoscaling.keda.fallbackReplicas=21",
        ),
        "autoscaling.keda.fallbackReplicas is 21, above autoscaling.maxReplicas, which is 20.",
    ),
    (
        ("batch.activeDeadlineSeconds=600",),
        (
            "batch.activeDeadlineSeconds is 600, not above config.EYDP_BATCH_JOB_TIMEOUT_SECONDS, which is 600: the "
            "pod would be killed while it awaits its load job."
        ),
    ),
    (
        ("secrets.mode=existingSecret", "secrets.existingSecret=shop"),
        "secrets.mode is existingSecret, but secrets.files is empty: list the files, or choose mode none.",
    ),
    (
        ("secrets.mode=existingSecret", SECRETS),
        "secrets.mode is existingSecret, but secrets.existingSecret is empty: give the name of the Secret.",
    ),
    (
        ("secrets.mode=externalSecrets", SECRETS),
        "secrets.mode is externalSecrets, but secrets.store.name is empty",
    ),
    (
        ("secrets.mode=secretManager", SECRETS),
        "secrets.files: salt has no remote, the name of the secret that mode secretManager reads.",
    ),
    (
        tuple(f"{name}.enabled=false" for name in ("poller", "consumer", "batch", "dbt", "replay", "compact")),
        "poller, consumer, batch, dbt, replay and compact are all switched off: there is nothing to install.",
    ),
    (
        ("replay.activeDeadlineSeconds=1800",),
        (
            "replay.activeDeadlineSeconds is 1800, not above config.EYDP_REPLAY_JOB_TIMEOUT_SECONDS, which is 1800: "
            "the pod would be killed while it awaits its job."
        ),
    ),
    (
        ("push.enabled=true",),
        (
            "push.enabled is true, but there are no signing keys: choose secrets.mode and list one or two of "
            "secrets.files with folder push-keys and components [push]."
        ),
    ),
    (("push.enabled=true", IN_A_SECRET, filed(0, "keys", "push")), "but there are no signing keys"),
    (("push.enabled=true", IN_A_SECRET, filed(0, "source-headers", "poller")), "but there are no signing keys"),
    (
        (*PUSH, "poller.enabled=false"),
        "push.enabled is true, but poller.enabled is false: only the poller makes events of pushed carts.",
    ),
    (
        (*PUSH, "config.EYDP_POLLER_PUSHES=false"),
        "config.EYDP_POLLER_PUSHES is false: pushed carts would wait in their subscription until they are dropped.",
    ),
    (
        (*PUSH, "push.terminationGracePeriodSeconds=44"),
        (
            "push.terminationGracePeriodSeconds is 44, but draining takes up to 20 s "
            "(config.EYDP_PUSH_DRAIN_TIMEOUT_SECONDS) after 10 s of push.preStopSeconds and closing 15 s more: give at "
            "least 45, or null to derive it."
        ),
    ),
    (
        ("push.ingress.enabled=true", "push.ingress.host=push.shop.example"),
        "push.ingress.enabled is true, but push.enabled is false: there is nothing to lead to.",
    ),
    (
        ("push.gateway.enabled=true", "push.gateway.host=push.shop.example"),
        "push.gateway.enabled is true, but push.enabled is false: there is nothing to lead to.",
    ),
    (
        (*PUSH, "push.ingress.enabled=true"),
        "push.ingress.enabled is true, but push.ingress.host is empty: give the host name.",
    ),
    (
        (*PUSH, "push.gateway.enabled=true", "push.gateway.name=external"),
        "push.gateway.enabled is true, but push.gateway.host is empty: give the host name.",
    ),
    (
        (*PUSH, "push.gateway.enabled=true", "push.gateway.host=push.shop.example"),
        "push.gateway.enabled is true, but push.gateway.name is empty: give the name of the Gateway.",
    ),
    (
        (*PUSH, "push.googleHealthCheck=true"),
        "push.googleHealthCheck is true, but neither push.ingress nor push.gateway is enabled",
    ),
    (
        (*PUSH, "push.autoscaling.enabled=true", "push.autoscaling.minReplicas=11"),
        "push.autoscaling.minReplicas is 11, above push.autoscaling.maxReplicas, which is 10.",
    ),
    (
        (*PUSH, filed(1, "push-keys", "push", "second"), filed(2, "push-keys", "push", "third")),
        "secrets.files: push gets more than 2 files in the folder push-keys, which it would refuse.",
    ),
    (
        (IN_A_SECRET, filed(0, "salt", "batch"), filed(1, "salt", "batch", "second")),
        "secrets.files: batch gets more than 1 files in the folder salt, which it would refuse.",
    ),
    (
        (IN_A_SECRET, filed(0, "push-keys", "poller")),
        (
            "secrets.files: poller does not read the folder push-keys, which is for push: a secret goes to those alone "
            "that need it."
        ),
    ),
    (
        (IN_A_SECRET, filed(0, "source-headers", "batch"), filed(1, "source-headers", "batch")),
        "secrets.files: batch gets the file source-headers/first twice.",
    ),
    (
        ("images.tag=latest",),
        "has the tag latest, which names another image tomorrow: give a version or a digest.",
    ),
    (
        ("images.poller.tag=latest",),
        "images.poller has the tag latest, which names another image tomorrow: give a version or a digest.",
    ),
]

WRONG = [
    ("unknown=1", "additional properties 'unknown' not allowed"),
    ("poller.replicas=2", "additional properties 'replicas' not allowed"),
    ("consumer.replica=2", "additional properties 'replica' not allowed"),
    ("push.port=80", "additional properties 'port' not allowed"),
    ("push.service.sessionAffinity=Cookie", "value must be one of 'None', 'ClientIP'"),
    ("push.ingress.host=https://push.shop.example", "does not match pattern"),
    ("replay.lookbackDays=0", "minimum: got 0, want 1"),
    ("podDisruptionBudgets.pushMaxUnavailable=0", "at '/podDisruptionBudgets/pushMaxUnavailable'"),
    ("secrets.files[0].folder=../up", "does not match pattern"),
    ("config.EYDP_PUSH_KEYS_DIR=/elsewhere", "'EYDP_PUSH_KEYS_DIR' not allowed"),
    ("autoscaling.mode=vpa", "value must be one of 'hpa', 'keda', 'none'"),
    ("autoscaling.minReplicas=0", "minimum: got 0, want 1"),
    ("monitoring.mode=statsd", "value must be one of 'none', 'gmp', 'operator'"),
    ("secrets.mode=env", "value must be one of"),
    ("serviceAccounts.workloadIdentity=key", "value must be one of 'direct', 'annotation'"),
    ("podDisruptionBudgets.consumerMaxUnavailable=0", "at '/podDisruptionBudgets/consumerMaxUnavailable'"),
    ("podDisruptionBudgets.consumerMaxUnavailable=0%", "at '/podDisruptionBudgets/consumerMaxUnavailable'"),
    ("images.poller.digest=sha256:abc", "does not match pattern"),
    ("batch.products.schedule=daily", "does not match pattern"),
    ("consumer.resources.requests.cpu=null", "missing property 'cpu'"),
    ("consumer.resources.limits.memory=null", "missing property 'memory'"),
    ("networkPolicies.googleApisCidrs=null", "missing property 'googleApisCidrs'"),
    ("networkPolicies.googleApisCidrs=", "got string, want array"),
    ("config.EYDP_CONSUMER_DRAIN_TIMEOUT_SECONDS=null", "missing property 'EYDP_CONSUMER_DRAIN_TIMEOUT_SECONDS'"),
    ("config.EYDP_SUBSCRIPTION=null", "missing property 'EYDP_SUBSCRIPTION'"),
    ("networkPolicies.sourceCidrs={example.com}", "does not match pattern"),
    ("config=null", "missing property 'config'"),
]


@pytest.mark.parametrize(("sets", "sentence"), CONTRADICTIONS)
def test_a_contradiction_ends_in_its_sentence(sets: tuple[str, ...], sentence: str) -> None:
    assert sentence in refusal(*sets)


@pytest.mark.parametrize(("given", "words"), WRONG)
def test_the_schema_refuses_what_is_unknown_or_wrong_by_itself(given: str, words: str) -> None:
    assert words in refusal(given)


def test_without_any_value_the_missing_project_is_named() -> None:
    done = helm("template", "x", CHART)

    assert done.returncode != 0
    assert "project is empty" in done.stderr


@pytest.mark.parametrize(
    "sets",
    [
        ("poller.terminationGracePeriodSeconds=40",),
        ("consumer.terminationGracePeriodSeconds=65", "config.EYDP_CONSUMER_DRAIN_TIMEOUT_SECONDS=50"),
        ("autoscaling.minReplicas=20",),
        ("batch.activeDeadlineSeconds=601",),
        ("replay.activeDeadlineSeconds=1801",),
        PUSH,
        (*PUSH, "push.terminationGracePeriodSeconds=45"),
        (*PUSH, "push.terminationGracePeriodSeconds=35", "push.preStopSeconds=0"),
        (*PUSH, "config.EYDP_POLLER_PUSHES=true"),
        (*PUSH, "push.gateway.enabled=true", "push.gateway.name=a", "push.gateway.host=*.shop.example"),
        (IN_A_SECRET, filed(0, "salt", "batch"), filed(1, "other", "batch")),
        ("autoscaling.minReplicas=9", "autoscaling.maxReplicas=3", "autoscaling.mode=none"),
    ],
)
def test_what_is_just_right_is_rendered(sets: tuple[str, ...]) -> None:
    assert rendered(*sets)
