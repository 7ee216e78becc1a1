"""What values-local.yaml renders to, started as processes against the embedded stack: every container does its work.

They run as the numeric user, without capabilities and with nothing but /tmp to write to, where the machine allows
namespaces; `test_the_sandbox_is_one` is skipped where it does not, and says why.
"""

import json
import os
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest
import yaml
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from chart.containers import Container, emulators
from chart.mounted import publish
from dataplatform.errors import ConfigurationError
from dataplatform.schemas import RAW_TABLES, WORK_TABLES
from eydp.push import Client, Part
from support.chart import SCENARIOS, objects, pods, rendered, template
from support.manifests import Manifest
from support.programs import until
from support.sandbox import contained, forbidden

NAME = "ey-data-platform"
#: What the tests below start, so that a workload that is added is not forgotten.
STARTED = {
    f"Job/{NAME}-provision",
    f"Pod/{NAME}-doctor",
    f"Deployment/{NAME}-poller",
    f"Deployment/{NAME}-push",
    f"Deployment/{NAME}-consumer",
    f"CronJob/{NAME}-batch-products",
    f"CronJob/{NAME}-batch-users",
    f"CronJob/{NAME}-replay-carts",
    f"CronJob/{NAME}-replay-quarantine",
    f"CronJob/{NAME}-dbt",
    f"CronJob/{NAME}-compact",
    f"Pod/{NAME}-verify",
}
CARTS, PRODUCTS, USERS = 7, 20, 10
#: A cart that the shop does not have, and the end of one that nobody ever saw, which makes no event.
CART = {"id": 4711, "userId": 1, "date": "2026-11-24T12:00:00.000Z", "products": [{"productId": 1, "quantity": 1}]}
NOBODYS_END = {"id": 4712, "deleted": True}


class Release:
    """A rendered release with names of its own in the shared stack."""

    def __init__(self, stack_env: Mapping[str, str], folder: Path, values: Mapping[str, Any]) -> None:
        mark = uuid.uuid4().hex[:8]
        given = {**emulators(stack_env), **values}
        given["config"] |= {
            "EYDP_BUCKET": f"raw-{mark}",
            "EYDP_DATASET_RAW": f"raw_{mark}",
            "EYDP_DATASET_ANALYTICS": f"analytics_{mark}",
            "EYDP_TOPIC": f"carts-{mark}",
            "EYDP_SUBSCRIPTION": f"carts-{mark}-sub",
            "EYDP_DEAD_LETTER_TOPIC": f"carts-{mark}-dlq",
            "EYDP_DEAD_LETTER_SUBSCRIPTION": f"carts-{mark}-dlq-sub",
            "EYDP_PUSH_TOPIC": f"carts-{mark}-pushed",
            "EYDP_PUSH_SUBSCRIPTION": f"carts-{mark}-pushed-sub",
        }
        file = folder / "values.yaml"
        file.write_text(yaml.safe_dump(given))
        self.raw = f"raw_{mark}"
        self.folder = folder
        self.manifests = objects(template([SCENARIOS["values-local"], file], f"project={given['project']}"))
        self.running = ExitStack()
        self.secrets = folder / "secrets"
        self.key = b""
        self.rotate("first")
        self.bigquery = bigquery.Client(
            project=given["project"],
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": given["emulators"]["bigquery"]},
        )

    def rotate(self, *files: str) -> None:
        """Give the Secret these files, each with a new key; `key` is the last one."""
        keys = [token_hex(32).encode() for _ in files]
        publish(self.secrets, {f"push-keys/{file}": key for file, key in zip(files, keys, strict=True)})
        self.key = keys[-1]

    def start(self, owner: str) -> Container:
        container = Container(self.manifests, owner, secrets=self.secrets)
        container.start(self.folder)
        self.running.callback(container.kill)
        return container

    def run(self, owner: str) -> str:
        """Run a container to its good end and return what it said."""
        return self.start(owner).ends()

    def rows(self, table: str, where: str = "TRUE") -> int:
        query = f"SELECT COUNT(*) FROM {self.raw}.{table} WHERE {where}"  # noqa: S608 - made up here
        return int(next(iter(self.bigquery.query_and_wait(query)))[0])


@pytest.fixture
def release_of(stack_env: dict[str, str], tmp_path: Path) -> Iterator[Any]:
    """Make a release; what it started ends with the test."""
    with ExitStack() as held:

        def make(**values: Any) -> Release:
            release = Release(stack_env, tmp_path, values)
            held.callback(release.bigquery.close)
            held.push(release.running)
            return release

        yield make


def test_every_workload_of_the_local_values_is_started_here() -> None:
    release = rendered(files=[SCENARIOS["values-local"]])

    assert {owner for owner, _ in pods(release)} == STARTED


@pytest.mark.timeout(600)
def test_every_container_does_its_work_and_stops_within_its_grace_period(release_of: Any) -> None:
    release: Release = release_of()

    *lines, last = release.run(f"Job/{NAME}-provision").splitlines()
    created = [line.split()[1] for line in lines if line.startswith("create ")]
    assert last == f"{len(created)} changed"
    assert created.count("table") == len((*RAW_TABLES, *WORK_TABLES))
    assert {"bucket", "dataset", "table", "topic", "subscription"} <= set(created)
    works(release)


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_dbt_job_reads_its_project_and_writes_to_tmp_alone(release_of: Any) -> None:
    # The cheapest command that loads the whole project and writes logs and artifacts.
    release: Release = release_of(dbt={"args": ["list", "--resource-type", "model"]})

    assert "fact_orders" in release.run(f"CronJob/{NAME}-dbt")


@pytest.mark.long
@pytest.mark.timeout(900)
def test_a_whole_day_of_the_release_agrees_with_the_shop(release_of: Any) -> None:
    release: Release = release_of()

    release.run(f"Job/{NAME}-provision")
    release.run(f"Pod/{NAME}-doctor")
    works(release)
    replayed(release)
    release.run(f"CronJob/{NAME}-dbt")
    release.run(f"Pod/{NAME}-verify")
    assert "compacted" in release.run(f"CronJob/{NAME}-compact")


def replayed(release: Release) -> None:
    """Both replays run to their good end."""
    for what in ("carts", "quarantine"):
        assert '"replayed"' in release.run(f"CronJob/{NAME}-replay-{what}")


def works(release: Release) -> None:
    """Poller, push and consumer become ready, carry every cart and stop; the batch jobs load; a rotated key counts."""
    services = [release.start(f"Deployment/{NAME}-{component}") for component in ("poller", "push", "consumer")]
    for container in services:
        for probe in ("startup", "liveness", "readiness"):
            container.passes(probe)
    for entity in ("products", "users"):
        release.run(f"CronJob/{NAME}-batch-{entity}")
    until(lambda: release.rows("carts_events") == CARTS, f"{CARTS} events are in the table")
    _, push, _ = services
    assert pushed(release, push, CART) == 1
    counts_at_once(release, push)
    # The shop does not know this cart, so the next poll ends it: what was pushed and what is polled is one history.
    until(
        lambda: release.rows("carts_events", f"cart_id = {CART['id']} AND event_type = 'cart_deleted'") >= 1,
        "the pushed cart came and went",
    )
    for container in services:
        container.stops()
    assert (release.rows("Products"), release.rows("Users")) == (PRODUCTS, USERS)


def pushed(release: Release, push: Container, record: Mapping[str, Any]) -> int:
    """Push one cart with the release's key and return how many were taken; raises when the signature is refused."""
    client = Client(f"http://127.0.0.1:{push.port('http')}", release.key, patience_seconds=10)
    return client.push(Part("application/json", json.dumps(record).encode()))


def counts_at_once(release: Release, push: Container) -> None:
    """A key that is rotated in the mounted folder counts without a restart, and the former one no longer."""
    former = release.key
    release.rotate("second")

    def taken() -> bool:
        try:
            return pushed(release, push, NOBODYS_END) == 1
        except ConfigurationError:  # refused: the new key is not known yet
            return False

    until(taken, "the new key counts", seconds=30)
    new, release.key = release.key, former
    with pytest.raises(ConfigurationError):
        pushed(release, push, NOBODYS_END)
    assert former.decode() not in push.said
    assert new.decode() not in push.said


def test_a_program_with_a_setting_that_does_not_exist_ends_with_the_code_that_is_not_tried_again(
    release_of: Any,
) -> None:
    release: Release = release_of()
    manifest = next(m for m in release.manifests if m["kind"] == "ConfigMap" and m["metadata"]["name"] == NAME)
    misspelt(manifest)

    container = release.start(f"CronJob/{NAME}-batch-users")

    assert "EYDP_LOCATON is not a setting" in container.ends(code=78)


def misspelt(config_map: Manifest) -> None:
    config_map["data"]["EYDP_LOCATON"] = config_map["data"].pop("EYDP_LOCATION")


def test_the_sandbox_is_one() -> None:
    if reason := forbidden():
        pytest.skip(f"this machine does not let a test use namespaces: {reason}")
    look = "import os; print(os.getuid(), os.getcwd(), sorted(os.environ), open('/proc/self/status').read())"

    said, _ = contained([sys.executable, "-c", look], {"ONE": "1"}, user=10001, tmp_size="1m").communicate(timeout=60)

    assert said.startswith("10001 / ")
    assert "CapEff:\t0000000000000000" in said
    assert "NoNewPrivs:\t1" in said
    assert os.getuid() != 10001
