"""What the network policies let through, decided as a cluster would decide it."""

from ipaddress import ip_address, ip_network

import pytest

from support.chart import SCENARIOS, pods, rendered, scenario
from support.manifests import Manifest

DNS = ("10.0.0.10", 53, {"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"})
NODE_LOCAL_DNS = ("169.254.20.10", 53, None, None)
GOOGLE = ("199.36.153.9", 443, None, None)
METADATA = ("169.254.169.254", 80, None, None)
METADATA_BY_HTTPS = ("169.254.169.254", 443, None, None)
METADATA_RELAY = ("169.254.169.252", 988, None, None)
SHOP = ("104.21.1.1", 443, None, None)
PRIVATE = ("10.1.2.3", 443, None, None)
KUBERNETES_API = ("172.16.0.2", 443, None, None)
EMULATOR = (
    "10.2.3.4",
    8085,
    {"kubernetes.io/metadata.name": "shop"},
    {"app.kubernetes.io/part-of": "ey-data-platform-local"},
)
STRANGER = ("10.2.3.5", 8085, {"kubernetes.io/metadata.name": "shop"}, {"app": "else"})

PEERS = (
    DNS,
    NODE_LOCAL_DNS,
    GOOGLE,
    METADATA,
    METADATA_RELAY,
    METADATA_BY_HTTPS,
    SHOP,
    PRIVATE,
    KUBERNETES_API,
    EMULATOR,
    STRANGER,
)  # fmt: skip

#: The ports of a pod that have names.
PORTS = {"metrics": 9090, "http": 8080}

type Peer = tuple[str, int, dict[str, str] | None, dict[str, str] | None]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items())


def is_peer(rule: Manifest, peer: Peer) -> bool:
    address, _, namespace, labels = peer
    if block := rule.get("ipBlock"):
        inside = ip_address(address) in ip_network(block["cidr"])
        return inside and not any(ip_address(address) in ip_network(out) for out in block.get("except", []))
    if namespace is None or labels is None:
        return False
    return selects(rule["namespaceSelector"], namespace) and selects(rule.get("podSelector", {}), labels)


def allowed(manifests: list[Manifest], pod: Manifest, direction: str, peer: Peer) -> bool:
    """Whether any policy allows it; true as well when none selects the pod at all."""
    policies = [
        m["spec"]
        for m in manifests
        if m["kind"] == "NetworkPolicy"
        and direction in m["spec"]["policyTypes"]
        and selects(m["spec"]["podSelector"], pod["metadata"]["labels"])
    ]
    if not policies:
        return True
    side = "to" if direction == "Egress" else "from"
    for policy in policies:
        for rule in policy.get(direction.lower(), []):
            at = {PORTS.get(port["port"], port["port"]) for port in rule.get("ports", [])}
            # A rule without peers would allow everybody.
            assert rule[side]
            if (not at or peer[1] in at) and any(is_peer(one, peer) for one in rule[side]):
                return True
    return False


WITH_POLICIES = [name for name in SCENARIOS if name != "bare"]


@pytest.mark.parametrize("name", WITH_POLICIES)
def test_every_pod_reaches_what_it_needs_and_nothing_else(name: str) -> None:
    manifests = scenario(name)
    local = name == "values-local"
    for owner, pod in pods(manifests):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        asks_the_shop = component in {"poller", "batch", "verify"} and not local
        reached = {peer[:2]: allowed(manifests, pod, "Egress", peer) for peer in PEERS}
        assert reached == {
            DNS[:2]: True,
            NODE_LOCAL_DNS[:2]: True,
            # The internet is allowed to those that ask the shop, and Google's addresses are part of it.
            GOOGLE[:2]: not local,
            METADATA[:2]: not local,
            METADATA_RELAY[:2]: not local,
            METADATA_BY_HTTPS[:2]: False,
            SHOP[:2]: asks_the_shop,
            PRIVATE[:2]: False,
            KUBERNETES_API[:2]: False,
            EMULATOR[:2]: local,
            STRANGER[:2]: False,
        }, owner


@pytest.mark.parametrize(
    ("mode", "scraper", "others"), [("gmp", "gmp-system", "monitoring"), ("operator", "monitoring", "gmp-system")]
)
def test_only_the_scraper_comes_in_and_only_where_metrics_are(mode: str, scraper: str, others: str) -> None:
    manifests = rendered(f"monitoring.mode={mode}")

    def scrape(namespace: str, port: int) -> dict[str, bool]:
        peer = ("10.9.9.9", port, {"kubernetes.io/metadata.name": namespace}, {"app": "x"})
        return {
            pod["metadata"]["labels"]["app.kubernetes.io/component"]: allowed(manifests, pod, "Ingress", peer)
            for _, pod in pods(manifests)
        }

    assert {component for component, open_ in scrape(scraper, 9090).items() if open_} == {"poller", "consumer"}
    assert not any(scrape(scraper, 8080).values())
    assert not any(scrape(others, 9090).values())


def test_nobody_comes_in_when_nobody_scrapes() -> None:
    manifests = rendered()
    peer = ("10.9.9.9", 9090, {"kubernetes.io/metadata.name": "gmp-system"}, {"app": "x"})

    assert not any(allowed(manifests, pod, "Ingress", peer) for _, pod in pods(manifests))


BALANCER = "35.191.0.7"


def comes_in(manifests: list[Manifest], port: int, address: str, namespace: str = "") -> set[str]:
    """The components that a peer reaches."""
    labels = {"kubernetes.io/metadata.name": namespace} if namespace else None
    peer = (address, port, labels, {"app": "x"} if namespace else None)
    return {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for _, pod in pods(manifests)
        if allowed(manifests, pod, "Ingress", peer)
    }


def test_only_push_takes_requests_and_only_from_those_that_are_named() -> None:
    gateway, ingress, inside = (scenario(name) for name in ("push-gateway", "push-ingress", "external-secrets"))

    assert comes_in(gateway, 8080, BALANCER) == {"push"}
    assert comes_in(gateway, 8080, "10.1.2.3", "ingress-nginx") == set()
    assert comes_in(ingress, 8080, "10.1.2.3", "ingress-nginx") == {"push"}
    assert comes_in(ingress, 8080, BALANCER) == set()
    assert comes_in(inside, 8080, BALANCER) == comes_in(inside, 8080, "10.1.2.3", "shop") == set()


def test_pushs_metrics_are_scraped_like_the_others() -> None:
    manifests = scenario("push-gateway")
    (monitoring,) = (m["spec"] for m in manifests if m["kind"] == "PodMonitoring")

    scraped = {
        pod["metadata"]["labels"]["app.kubernetes.io/component"]
        for _, pod in pods(manifests)
        if selects(monitoring["selector"], pod["metadata"]["labels"])
    }

    assert scraped == comes_in(manifests, 9090, "10.9.9.9", "gmp-system") == {"poller", "push", "consumer"}


def test_a_load_balancer_reaches_the_health_port_where_it_is_told_to_ask_there() -> None:
    assert comes_in(scenario("push-gateway"), 9090, BALANCER) == {"push"}
    assert comes_in(scenario("push-ingress"), 9090, "10.1.2.3", "ingress-nginx") == set()


def test_the_shop_can_be_narrowed_to_its_addresses() -> None:
    manifests = rendered("networkPolicies.sourceCidrs={104.21.0.0/16}", "networkPolicies.sourcePort=8443")
    poller = dict(pods(manifests))["Deployment/ey-data-platform-poller"]

    assert allowed(manifests, poller, "Egress", ("104.21.1.1", 8443, None, None))
    assert not allowed(manifests, poller, "Egress", ("104.21.1.1", 443, None, None))
    assert not allowed(manifests, poller, "Egress", ("104.22.1.1", 8443, None, None))
