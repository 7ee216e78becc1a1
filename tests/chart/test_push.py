"""The push service: what comes with it, how it is reached, and what the poller is told."""

import pytest

from carts_poller.push.settings import PushSettings
from carts_poller.settings import PollerSettings
from support.chart import key, named, rendered, scenario

NAME = "ey-data-platform"
KEYS = (
    "secrets.mode=existingSecret",
    "secrets.existingSecret=shop",
    "secrets.files[0].file=first",
    "secrets.files[0].folder=push-keys",
    "secrets.files[0].components={push}",
)
PUSH = ("push.enabled=true", *KEYS)
INGRESS = ("push.ingress.enabled=true", "push.ingress.host=push.shop.example")
GATEWAY = ("push.gateway.enabled=true", "push.gateway.host=push.shop.example", "push.gateway.name=external")
CHECKED = ("push.googleHealthCheck=true",)

#: What comes with each switch, beside what is there without it.
ON = [
    (KEYS, (), set()),
    (
        PUSH,
        KEYS,
        {f"{kind}/{NAME}-push" for kind in ("Deployment", "Service", "ServiceAccount", "NetworkPolicy")}
        | {f"PodDisruptionBudget/{NAME}-push"},
    ),
    ((*PUSH, "push.autoscaling.enabled=true"), PUSH, {f"HorizontalPodAutoscaler/{NAME}-push"}),
    ((*PUSH, *INGRESS), PUSH, {f"Ingress/{NAME}-push"}),
    ((*PUSH, *INGRESS, *CHECKED), (*PUSH, *INGRESS), {f"BackendConfig/{NAME}-push"}),
    ((*PUSH, *GATEWAY), PUSH, {f"HTTPRoute/{NAME}-push"}),
    ((*PUSH, *GATEWAY, *CHECKED), (*PUSH, *GATEWAY), {f"HealthCheckPolicy/{NAME}-push"}),
]


@pytest.mark.parametrize(("sets", "without", "new"), ON)
def test_what_is_switched_on_comes_with_all_that_belongs_to_it(
    sets: tuple[str, ...], without: tuple[str, ...], new: set[str]
) -> None:
    on, plain = ({key(m) for m in rendered(*given)} for given in (sets, without))

    assert on - plain == new
    assert plain - on == set()


def test_without_anybody_who_may_push_nobody_is_let_in() -> None:
    there = {key(m) for m in scenario("external-secrets")}

    assert f"Deployment/{NAME}-push" in there
    assert f"NetworkPolicy/{NAME}-push" not in there


def test_the_poller_takes_pushed_carts_in_as_soon_as_somebody_can_push() -> None:
    variable = PollerSettings.variable("pushes")

    def told(*sets: str) -> str | None:
        data: dict[str, str] = named(rendered(*sets), f"ConfigMap/{NAME}")["data"]
        return data.get(variable)

    assert told() is None
    assert told(*PUSH) == "true"
    # Another release takes what is pushed.
    assert told("config.EYDP_POLLER_PUSHES=true") == "true"
    assert told(*PUSH, "config.EYDP_POLLER_PUSHES=true") == "true"


def test_the_service_leads_to_the_port_that_the_program_is_told() -> None:
    manifests = rendered(*PUSH, "push.service.port=80")
    data = named(manifests, f"ConfigMap/{NAME}")["data"]
    service = named(manifests, f"Service/{NAME}-push")["spec"]
    template = named(manifests, f"Deployment/{NAME}-push")["spec"]["template"]
    ports = {port["name"]: port["containerPort"] for port in template["spec"]["containers"][0]["ports"]}

    assert service["ports"] == [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    assert service["selector"].items() <= template["metadata"]["labels"].items()
    assert data[PushSettings.variable("port")] == str(ports["http"])
    assert data[PushSettings.variable("host")] == "0.0.0.0"


@pytest.mark.parametrize("affinity", ["None", "ClientIP"])
def test_a_client_may_be_kept_at_one_pod(affinity: str) -> None:
    service = named(rendered(*PUSH, f"push.service.sessionAffinity={affinity}"), f"Service/{NAME}-push")

    assert service["spec"]["sessionAffinity"] == affinity


def test_pods_are_counted_by_the_values_or_by_the_autoscaler() -> None:
    owner = f"Deployment/{NAME}-push"

    assert named(rendered(*PUSH, "push.replicas=5"), owner)["spec"]["replicas"] == 5
    scaled = rendered(*PUSH, "push.autoscaling.enabled=true", "push.autoscaling.cpuPercent=40")
    assert "replicas" not in named(scaled, owner)["spec"]
    scaler = named(scaled, f"HorizontalPodAutoscaler/{NAME}-push")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 10)
    assert [metric["resource"]["target"]["averageUtilization"] for metric in scaler["metrics"]] == [40]


def test_both_routes_lead_to_the_service() -> None:
    manifests = scenario("everything")
    service = named(manifests, f"Service/{NAME}-push")
    (rule,) = named(manifests, f"Ingress/{NAME}-push")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    route = named(manifests, f"HTTPRoute/{NAME}-push")["spec"]

    assert path["backend"]["service"] == {"name": service["metadata"]["name"], "port": {"name": "http"}}
    (backend,) = route["rules"][0]["backendRefs"]
    assert backend == {"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}
    assert rule["host"] == "push.shop.example"
    assert route["hostnames"] == ["push.shop.example"]
    assert route["parentRefs"] == [{"name": "external", "namespace": "gateways", "sectionName": "https"}]
    # What the routes let through is where the program listens.
    assert path["path"] == route["rules"][0]["matches"][0]["path"]["value"] == "/v1"


def test_googles_load_balancers_ask_where_kubernetes_asks() -> None:
    manifests = scenario("everything")
    (container,) = named(manifests, f"Deployment/{NAME}-push")["spec"]["template"]["spec"]["containers"]
    probe = container["readinessProbe"]["httpGet"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    wanted = (ports[probe["port"]], probe["path"])

    backend = named(manifests, f"BackendConfig/{NAME}-push")["spec"]["healthCheck"]
    policy = named(manifests, f"HealthCheckPolicy/{NAME}-push")["spec"]
    asked = policy["default"]["config"]["httpHealthCheck"]

    assert (backend["port"], backend["requestPath"]) == wanted
    assert (asked["port"], asked["requestPath"]) == wanted
    service = named(manifests, f"Service/{NAME}-push")["metadata"]
    assert policy["targetRef"] == {"group": "", "kind": "Service", "name": service["name"]}
    assert service["annotations"]["cloud.google.com/backend-config"] == f'{{"default":"{NAME}-push"}}'


def test_pods_go_on_serving_while_load_balancers_learn_that_they_end() -> None:
    def ending(*sets: str) -> tuple[object, int]:
        spec = named(rendered(*PUSH, *sets), f"Deployment/{NAME}-push")["spec"]["template"]["spec"]
        return spec["containers"][0].get("lifecycle"), spec["terminationGracePeriodSeconds"]

    assert ending() == ({"preStop": {"sleep": {"seconds": 10}}}, 45)
    assert ending("push.preStopSeconds=0", "config.EYDP_PUSH_DRAIN_TIMEOUT_SECONDS=31") == (None, 46)
