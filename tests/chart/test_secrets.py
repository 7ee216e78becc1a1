"""Secret files: each component sees its own, in the folders where its program looks for them."""

import pytest
import yaml

from support.chart import SCENARIOS, named, pods, rendered, scenario
from support.manifests import Manifest

NAME = "ey-data-platform"
ROOT = "/var/run/secrets/ey-data-platform"
SALT = ("secrets.files[0].file=salt", "secrets.files[0].remote=shop-salt", "secrets.files[0].components={poller,batch}")


@pytest.mark.parametrize(
    ("sets", "volume"),
    [
        (
            ("secrets.mode=existingSecret", "secrets.existingSecret=shop"),
            {"secret": {"secretName": "shop", "defaultMode": 0o440, "items": [{"key": "salt", "path": "salt"}]}},
        ),
        (
            ("secrets.mode=externalSecrets", "secrets.store.name=google"),
            {
                "secret": {
                    "secretName": f"{NAME}-poller",
                    "defaultMode": 0o440,
                    "items": [{"key": "salt", "path": "salt"}],
                }
            },
        ),
        (
            ("secrets.mode=secretManager",),
            {
                "csi": {
                    "driver": "secrets-store-gke.csi.k8s.io",
                    "readOnly": True,
                    "volumeAttributes": {"secretProviderClass": f"{NAME}-poller"},
                }
            },
        ),
    ],
)
def test_secrets_are_files_of_the_components_that_are_named(sets: tuple[str, ...], volume: Manifest) -> None:
    manifests = rendered(*sets, *SALT)

    mounted = {}
    for owner, pod in pods(manifests):
        volumes = {v["name"]: v for v in pod["spec"]["volumes"]}
        mounts = {m["name"]: m for m in pod["spec"]["containers"][0]["volumeMounts"]}
        assert volumes.keys() == mounts.keys(), owner
        if "secrets" in volumes:
            mounted[owner] = volumes["secrets"]
            # A subPath would never see a rotation.
            assert mounts["secrets"] == {
                "name": "secrets",
                "mountPath": "/var/run/secrets/ey-data-platform",
                "readOnly": True,
            }
    assert set(mounted) == {
        f"Deployment/{NAME}-poller",
        f"CronJob/{NAME}-batch-products",
        f"CronJob/{NAME}-batch-users",
    }
    assert mounted[f"Deployment/{NAME}-poller"] == {"name": "secrets", **volume}


@pytest.mark.parametrize(
    ("mode", "kind"), [("secretManager", "SecretProviderClass"), ("externalSecrets", "ExternalSecret")]
)
def test_each_component_has_its_own_source_of_secrets(mode: str, kind: str) -> None:
    manifests = rendered(f"secrets.mode={mode}", "secrets.store.name=google", *SALT)

    made = {m["metadata"]["name"]: str(m["spec"]) for m in manifests if m["kind"] == kind}
    assert made.keys() == {f"{NAME}-poller", f"{NAME}-batch"}
    assert all("shop-salt" in spec for spec in made.values())


@pytest.mark.parametrize("name", ["secret-manager", "external-secrets"])
def test_no_component_is_given_a_secret_of_another(name: str) -> None:
    extra = ("secrets.files[2].file=x", "secrets.files[2].remote=shop-extra", "secrets.files[2].components={poller}")
    manifests = rendered(*extra, files=[SCENARIOS[name]])

    kinds = {"SecretProviderClass", "ExternalSecret"}
    specs = {m["metadata"]["name"]: str(m["spec"]) for m in manifests if m["kind"] in kinds}
    assert {owner for owner, spec in specs.items() if "shop-extra" in spec} == {f"{NAME}-poller"}
    assert f"{NAME}-batch" in {owner for owner, spec in specs.items() if "shop-authorization" in spec}


#: What each container of ci/everything-values.yaml is told: the folders, and for a single file the file.
LED = {
    "push": {"EYDP_PUSH_KEYS_DIR": f"{ROOT}/push-keys"},
    "poller": {"EYDP_SOURCE_HEADERS_DIR": f"{ROOT}/source-headers"},
    "batch": {"EYDP_SOURCE_HEADERS_DIR": f"{ROOT}/source-headers", "EYDP_BATCH_SALT_FILE": f"{ROOT}/salt/personal"},
    "verify": {"EYDP_SOURCE_HEADERS_DIR": f"{ROOT}/source-headers"},
}


def led(pod: Manifest) -> dict[str, str]:
    (container,) = pod["spec"]["containers"]
    return {v["name"]: v["value"] for v in container["env"] if v["name"].startswith("EYDP_")}


def test_a_program_is_led_to_the_folders_that_it_reads_and_no_other_is() -> None:
    for owner, pod in pods(scenario("everything")):
        component = pod["metadata"]["labels"]["app.kubernetes.io/component"]
        assert led(pod) == LED.get(component, {}), owner


def test_without_secrets_nobody_is_led_anywhere() -> None:
    assert [owner for owner, pod in pods(scenario("defaults")) if led(pod)] == []
    listed = ("secrets.files[0].file=first", "secrets.files[0].folder=salt", "secrets.files[0].components={batch}")
    assert [owner for owner, pod in pods(rendered(*listed)) if led(pod)] == []


@pytest.mark.parametrize(("name", "component"), [("push-ingress", "push"), ("external-secrets", "push")])
def test_a_file_of_a_secret_lies_in_its_folder(name: str, component: str) -> None:
    manifests = scenario(name)
    (volume,) = [
        v
        for v in named(manifests, f"Deployment/{NAME}-{component}")["spec"]["template"]["spec"]["volumes"]
        if v["name"] == "secrets"
    ]

    found = {item["path"]: item["key"] for item in volume["secret"]["items"]}

    if name == "push-ingress":
        assert found == {"push-keys/first": "push-key-2026-11", "push-keys/second": "push-key-2026-12"}
    else:
        assert found == {"push-keys/first": "push-keys.first"}
        made = named(manifests, f"ExternalSecret/{NAME}-push")["spec"]["data"]
        assert made == [{"secretKey": "push-keys.first", "remoteRef": {"key": "shop-push-key-first"}}]


def test_secret_managers_files_lie_in_their_folders() -> None:
    spec = named(scenario("secret-manager"), f"SecretProviderClass/{NAME}-batch")["spec"]

    assert {entry["path"]: entry["resourceName"] for entry in yaml.safe_load(spec["parameters"]["secrets"])} == {
        "source-headers/Authorization": "projects/my-project/secrets/shop-authorization/versions/latest",
        "salt/personal": "projects/my-project/secrets/shop-salt/versions/latest",
    }


def test_the_programs_read_where_they_are_led() -> None:
    """The variables are settings of the programs, and the folders are laid out as the programs want them."""
    from batch_ingest.settings import BatchSettings
    from carts_poller.push.settings import PushSettings
    from dataplatform.settings import SourceSettings

    known = {
        PushSettings.variable("keys_dir"), SourceSettings.variable("headers_dir"), BatchSettings.variable("salt_file")
    }  # fmt: skip
    assert {variable for told in LED.values() for variable in told} == known
    assert PushSettings.model_fields["keys_dir"].default == ""
    assert BatchSettings.model_fields["salt_file"].default == ""
