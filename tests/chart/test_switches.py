"""Each switch of the values, on and off, does what its comment says and nothing else."""

import pytest

from support.chart import key, named, pods, rendered
from support.manifests import Manifest

NAME = "ey-data-platform"
PLAIN = ("provision.enabled=true",)
ACCOUNTS = ("poller", "consumer", "batch", "dbt", "replay", "compact", "provision", "verify")

#: What goes when a switch is turned off: sets, and the objects that disappear.
OFF = [
    (
        ("poller.enabled=false",),
        {f"Deployment/{NAME}-poller", f"PodDisruptionBudget/{NAME}-poller", f"ServiceAccount/{NAME}-poller"},
    ),
    (
        ("consumer.enabled=false",),
        {
            f"Deployment/{NAME}-consumer",
            f"HorizontalPodAutoscaler/{NAME}-consumer",
            f"PodDisruptionBudget/{NAME}-consumer",
            f"ServiceAccount/{NAME}-consumer",
        },
    ),
    (
        ("batch.enabled=false",),
        {f"CronJob/{NAME}-batch-products", f"CronJob/{NAME}-batch-users", f"ServiceAccount/{NAME}-batch"},
    ),
    (("dbt.enabled=false",), {f"CronJob/{NAME}-dbt", f"ServiceAccount/{NAME}-dbt"}),
    (
        ("replay.enabled=false",),
        {f"CronJob/{NAME}-replay-carts", f"CronJob/{NAME}-replay-quarantine", f"ServiceAccount/{NAME}-replay"},
    ),
    (("compact.enabled=false",), {f"CronJob/{NAME}-compact", f"ServiceAccount/{NAME}-compact"}),
    (
        ("provision.enabled=false",),
        {f"Job/{NAME}-provision", f"ConfigMap/{NAME}-provision", f"ServiceAccount/{NAME}-provision"},
    ),
    (("tests.enabled=false",), {f"Pod/{NAME}-doctor", f"Pod/{NAME}-verify", f"ServiceAccount/{NAME}-verify"}),
    (("autoscaling.mode=none",), {f"HorizontalPodAutoscaler/{NAME}-consumer"}),
    (
        ("podDisruptionBudgets.enabled=false",),
        {f"PodDisruptionBudget/{NAME}-poller", f"PodDisruptionBudget/{NAME}-consumer"},
    ),
    (
        ("networkPolicies.enabled=false",),
        {f"NetworkPolicy/{NAME}-{what}" for what in ("deny", "dns", "google", "source")},
    ),
    (
        ("serviceAccounts.create=false",),
        {f"ServiceAccount/{NAME}-{component}" for component in ACCOUNTS},
    ),
]

#: What comes when a switch is turned on.
ON = [
    (
        ("monitoring.mode=gmp",),
        {
            f"PodMonitoring/{NAME}",
            f"NetworkPolicy/{NAME}-metrics",
            f"Rules/{NAME}",
            f"GlobalRules/{NAME}-shop",
        },
    ),
    (
        ("monitoring.mode=gmp", "monitoring.alerts.pubsub=false"),
        {f"PodMonitoring/{NAME}", f"NetworkPolicy/{NAME}-metrics", f"Rules/{NAME}"},
    ),
    (
        ("monitoring.mode=operator",),
        {f"PodMonitor/{NAME}", f"NetworkPolicy/{NAME}-metrics", f"PrometheusRule/{NAME}"},
    ),
    (
        ("monitoring.mode=operator", "monitoring.alerts.enabled=false"),
        {f"PodMonitor/{NAME}", f"NetworkPolicy/{NAME}-metrics"},
    ),
]


def keys(*sets: str) -> set[str]:
    return {key(manifest) for manifest in rendered(*sets)}


@pytest.mark.parametrize(("sets", "gone"), OFF)
def test_what_is_switched_off_is_gone_with_all_that_belongs_to_it(sets: tuple[str, ...], gone: set[str]) -> None:
    plain, off = keys(*PLAIN), keys(*sets)

    assert plain - off == gone
    assert off - plain == set()


@pytest.mark.parametrize(("sets", "new"), ON)
def test_what_is_switched_on_comes_with_all_that_belongs_to_it(sets: tuple[str, ...], new: set[str]) -> None:
    plain, on = keys(*PLAIN), keys(*sets)

    assert on - plain == new
    assert plain - on == set()


def consumer_scaling(*sets: str) -> Manifest:
    manifests = rendered(*sets)
    (scaler,) = (m for m in manifests if m["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"})
    return dict(scaler["spec"])


def test_the_autoscaler_owns_the_number_of_pods_and_without_one_the_values_do() -> None:
    owner = f"Deployment/{NAME}-consumer"

    assert "replicas" not in named(rendered(), owner)["spec"]
    assert named(rendered("autoscaling.mode=none", "consumer.replicas=7"), owner)["spec"]["replicas"] == 7


@pytest.mark.parametrize(
    ("sets", "metrics"),
    [
        (
            (),
            [
                ("pubsub.googleapis.com|subscription|num_undelivered_messages", "AverageValue"),
                ("pubsub.googleapis.com|subscription|oldest_unacked_message_age", "Value"),
                ("cpu", "Utilization"),
            ],
        ),
        (
            ("autoscaling.hpa.backlogPerPod=0", "autoscaling.hpa.oldestAgeSeconds=0"),
            [("cpu", "Utilization")],
        ),
        (
            ("autoscaling.hpa.cpuPercent=0", "autoscaling.hpa.oldestAgeSeconds=0"),
            [("pubsub.googleapis.com|subscription|num_undelivered_messages", "AverageValue")],
        ),
    ],
)
def test_the_hpa_has_the_metrics_that_are_not_0(sets: tuple[str, ...], metrics: list[tuple[str, str]]) -> None:
    found = []
    for metric in consumer_scaling(*sets)["metrics"]:
        (about,) = (value for name, value in metric.items() if name != "type")
        found.append((about["metric"]["name"] if "metric" in about else about["name"], about["target"]["type"]))

    assert found == metrics


def test_the_backlog_is_that_of_the_subscription_that_the_consumers_share() -> None:
    spec = consumer_scaling("config.EYDP_SUBSCRIPTION=other-sub", "autoscaling.hpa.backlogPerPod=1000000")

    assert spec["metrics"][0]["external"] == {
        "metric": {
            "name": "pubsub.googleapis.com|subscription|num_undelivered_messages",
            "selector": {"matchLabels": {"resource.labels.subscription_id": "other-sub"}},
        },
        "target": {"type": "AverageValue", "averageValue": "1000000"},
    }


def test_scaling_goes_up_at_once_and_down_after_five_minutes() -> None:
    keda = ("autoscaling.mode=keda", "monitoring.mode=gmp", "autoscaling.keda.serverAddress=http://prometheus")
    hpa = consumer_scaling()["behavior"]

    assert hpa["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert hpa["scaleDown"]["stabilizationWindowSeconds"] == 300
    assert consumer_scaling(*keda)["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == hpa


def test_keda_asks_for_this_releases_pods_and_falls_back_when_nobody_answers() -> None:
    spec = consumer_scaling(
        "autoscaling.mode=keda", "monitoring.mode=gmp", "autoscaling.keda.serverAddress=http://prometheus"
    )

    *asked, cpu = spec["triggers"]
    assert cpu == {"type": "cpu", "name": "cpu", "metricType": "Utilization", "metadata": {"value": "75"}}
    queries = {trigger["name"]: trigger["metadata"] for trigger in asked}
    assert queries["saturation"]["query"] == (
        f'sum(consumer_buffer_saturation_ratio{{namespace="shop",pod=~"{NAME}-consumer-.+"}})'
    )
    assert 'subscription_id="carts-events-sub"' in queries["backlog"]["query"]
    assert all(metadata["activationThreshold"] for metadata in queries.values())
    assert spec["fallback"] == {"failureThreshold": 3, "replicas": 4}


def test_the_metrics_that_keda_asks_for_are_the_consumers() -> None:
    from prometheus_client import CollectorRegistry

    from dataplatform.metrics import ConsumerMetrics

    ConsumerMetrics(registry := CollectorRegistry())

    assert registry.get_sample_value("consumer_buffer_saturation_ratio") == 0


@pytest.mark.parametrize(
    ("sets", "image"),
    [
        ((), "poller:0.1.0"),
        (("images.tag=0.2.0",), "poller:0.2.0"),
        (("images.tag=0.2.0", "images.poller.tag=0.3.0"), "poller:0.3.0"),
        (("images.registry=registry.example/shop/",), "registry.example/shop/poller:0.1.0"),
        ((f"images.poller.digest=sha256:{'a' * 64}", "images.tag=0.2.0"), f"poller@sha256:{'a' * 64}"),
    ],
)
def test_an_image_is_its_digest_else_its_tag_else_the_version(sets: tuple[str, ...], image: str) -> None:
    pod = dict(pods(rendered(*sets)))[f"Deployment/{NAME}-poller"]

    assert pod["spec"]["containers"][0]["image"] == image


def test_workload_identity_by_annotation_names_a_google_account_for_each_component() -> None:
    def annotations(*sets: str) -> dict[str, str | None]:
        return {
            m["metadata"]["name"].removeprefix(f"{NAME}-"): m["metadata"]
            .get("annotations", {})
            .get("iam.gke.io/gcp-service-account")
            for m in rendered(*sets)
            if m["kind"] == "ServiceAccount"
        }

    assert set(annotations().values()) == {None}
    assert annotations("serviceAccounts.workloadIdentity=annotation") == {
        component: f"eydp-{component}@my-project.iam.gserviceaccount.com" for component in ACCOUNTS
    }


def test_accounts_are_called_as_the_table_of_grants_calls_them() -> None:
    from eydp.iam.grants import COMPONENTS, OPTIONAL
    from eydp.iam.installation import example

    of = example()
    manifests = rendered("serviceAccounts.workloadIdentity=annotation")

    for component in set(COMPONENTS) - set(OPTIONAL):
        account = named(manifests, f"ServiceAccount/{of.kubernetes_account(component)}")
        assert account["metadata"]["annotations"]["iam.gke.io/gcp-service-account"] == of.google_email(component)


def test_a_components_placement_wins_over_the_charts() -> None:
    manifests = rendered(
        "priorityClassName=low", "consumer.priorityClassName=high", "nodeSelector.pool=a", "dbt.nodeSelector.pool=b"
    )

    placed = {
        owner: (pod["spec"]["priorityClassName"], pod["spec"]["nodeSelector"]["pool"]) for owner, pod in pods(manifests)
    }
    assert placed.pop(f"Deployment/{NAME}-consumer") == ("high", "a")
    assert placed.pop(f"CronJob/{NAME}-dbt") == ("low", "b")
    assert set(placed.values()) == {("low", "a")}


def test_jobs_can_be_suspended_one_by_one() -> None:
    manifests = rendered(
        "batch.users.suspend=true",
        "replay.quarantine.suspend=true",
        "dbt.suspend=true",
        "compact.suspend=true",
    )

    suspended = {m["metadata"]["name"]: m["spec"]["suspend"] for m in manifests if m["kind"] == "CronJob"}
    assert suspended == {
        f"{NAME}-batch-products": False,
        f"{NAME}-batch-users": True,
        f"{NAME}-replay-carts": False,
        f"{NAME}-replay-quarantine": True,
        f"{NAME}-dbt": True,
        f"{NAME}-compact": True,
    }


def test_a_day_is_batch_then_replay_then_dbt_then_compaction() -> None:
    began = {}
    for manifest in rendered():
        if manifest["kind"] == "CronJob":
            minute, hour, *every_day = manifest["spec"]["schedule"].split()
            assert every_day == ["*", "*", "*"]
            began[manifest["metadata"]["name"].removeprefix(f"{NAME}-")] = (int(hour), int(minute))

    assert sorted(began, key=lambda name: began[name]) == [
        "batch-products", "batch-users", "replay-carts", "replay-quarantine", "dbt", "compact"
    ]  # fmt: skip


def test_a_replay_looks_at_as_many_days_as_it_is_told() -> None:
    spec = named(rendered("replay.lookbackDays=30"), f"CronJob/{NAME}-replay-quarantine")["spec"]

    (container,) = spec["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["args"] == ["replay", "--entity", "quarantine", "--lookback-days", "30"]
