"""Provisioning against the embedded stack: twice is once, what is old is mended, what can't be is refused."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from dataplatform import clients, schemas
from dataplatform.clock import SystemClock
from dataplatform.retry import Retrier, RetryPolicy
from dataplatform.settings import PlatformSettings
from eydp.provision.calls import Calls
from eydp.provision.grants import provision_grants, service_agent
from support.programs import run
from support.pubsub import emulators


def _provision(environment: Mapping[str, str], cwd: str, *options: str) -> list[dict[str, str]]:
    steps: list[dict[str, str]] = json.loads(run(environment, "eydp", "provision", "--json", *options, cwd=cwd).stdout)
    return steps


def _changed(steps: list[dict[str, str]]) -> list[tuple[str, str]]:
    return [(step["verb"], step["detail"]) for step in steps if step["verb"] != "unchanged"]


def _platform(environment: Mapping[str, str]) -> PlatformSettings:
    names = {
        name: environment[f"EYDP_{name.upper()}"]
        for name in PlatformSettings.model_fields
        if f"EYDP_{name.upper()}" in environment
    }
    return PlatformSettings.model_validate(names)


def _warehouse(environment: Mapping[str, str]) -> Any:
    return clients.bigquery_client(_platform(environment), emulators(environment))


def _events(environment: Mapping[str, str]) -> str:
    return _platform(environment).raw_table(schemas.CART_EVENTS.name)


def test_provisioning_twice_changes_nothing(environment: dict[str, str], cwd: str) -> None:
    planned = _provision(environment, cwd, "--dry-run")
    first = _provision(environment, cwd)
    second = _provision(environment, cwd)

    assert planned == first
    assert {step["verb"] for step in first} == {"create"}
    assert {step["verb"] for step in second} == {"unchanged"}
    assert [step["resource"] for step in first] == [step["resource"] for step in second]


def test_tables_are_made_with_all_that_their_schema_says(environment: dict[str, str], cwd: str) -> None:
    _provision(environment, cwd)
    client = _warehouse(environment)
    table = client.get_table(_events(environment), retry=None, timeout=10)
    client.close()

    assert table.time_partitioning.field == "observed_at"
    assert table.time_partitioning.type_ == "DAY"
    assert table.clustering_fields == ["cart_id"]
    assert table.description == schemas.CART_EVENTS.description
    assert table.labels["managed-by"] == "ey-data-platform"
    assert [field.description for field in table.schema] == [c.description for c in schemas.CART_EVENTS.columns]


@pytest.mark.long
def test_an_old_table_gets_its_new_column_and_descriptions_and_keeps_its_rows(
    environment: dict[str, str], cwd: str
) -> None:
    from google.cloud import bigquery

    client = _warehouse(environment)
    dataset, name = _platform(environment).dataset_raw, _platform(environment).raw_table("Users")
    fields = [field for field in schemas.api_fields(schemas.USERS.columns) if field["name"] != "zipcode"]
    old = [bigquery.SchemaField.from_api_repr({**field, "description": "old"}) for field in fields]
    client.create_dataset(dataset, retry=None, timeout=10)
    client.create_table(bigquery.Table(name, schema=old), retry=None, timeout=10)
    client.query_and_wait(
        f"insert into `{name}` (id, source, run_id, ingested_at, raw_uri)"  # noqa: S608 - the name is this test's own
        " values (1, 's', 'r', current_timestamp(), 'u')",
        retry=None,
    )

    planned = _provision(environment, cwd, "--dry-run")
    assert len(client.get_table(name, retry=None, timeout=10).schema) == len(old)  # nothing was changed by the plan
    done = _provision(environment, cwd)
    again = _provision(environment, cwd)
    table = client.get_table(name, retry=None, timeout=10)
    rows = [dict(row) for row in client.query_and_wait(f"select id, zipcode from `{name}`", retry=None)]  # noqa: S608 - likewise
    client.close()

    assert planned == done
    assert ("add column", "zipcode STRING") in _changed(done)
    assert any(verb == "update" and "descriptions of id" in detail for verb, detail in _changed(done))
    assert _changed(again) == []
    assert {field.name: field.description for field in table.schema} == {
        column.name: column.description for column in schemas.USERS.columns
    }
    assert rows == [{"id": 1, "zipcode": None}]


def test_a_column_of_another_type_is_refused_in_one_sentence(environment: dict[str, str], cwd: str) -> None:
    from google.cloud import bigquery

    client = _warehouse(environment)
    fields = [
        {**field, **({"type": "STRING"} if field["name"] == "cart_id" else {})}
        for field in schemas.api_fields(schemas.CART_EVENTS.columns)
    ]
    table = bigquery.Table(_events(environment), [bigquery.SchemaField.from_api_repr(field) for field in fields])
    table.time_partitioning = bigquery.TimePartitioning(field="observed_at")
    client.create_dataset(_platform(environment).dataset_raw, retry=None, timeout=10)
    client.create_table(table, retry=None, timeout=10)
    client.close()

    done = run(environment, "eydp", "provision", code=78, cwd=cwd)
    assert len(done.stderr.splitlines()) == 1
    assert f"column cart_id of {_events(environment)} is REQUIRED STRING" in done.stderr


def test_a_subscription_that_somebody_changed_is_set_right_and_keeps_its_own_labels(
    environment: dict[str, str], cwd: str
) -> None:
    from google.pubsub_v1 import types

    _provision(environment, cwd)
    path = _platform(environment).subscription_path

    async def change() -> None:
        client = clients.subscriber_client(emulators(environment))
        changed = types.Subscription(name=path, ack_deadline_seconds=10, labels={"team": "shop"})
        mask = {"paths": ["ack_deadline_seconds", "labels", "dead_letter_policy"]}
        request = types.UpdateSubscriptionRequest(subscription=changed, update_mask=mask)
        await client.update_subscription(request=request, retry=None, timeout=10)
        await client.transport.close()

    async def found() -> Any:
        client = clients.subscriber_client(emulators(environment))
        subscription = await client.get_subscription(subscription=path, retry=None, timeout=10)
        await client.transport.close()
        return subscription

    asyncio.run(change())
    assert _changed(_provision(environment, cwd)) == [("update", "ack_deadline_seconds, dead_letter_policy, labels")]
    assert _changed(_provision(environment, cwd)) == []
    subscription = asyncio.run(found())
    assert subscription.ack_deadline_seconds == 60
    assert subscription.dead_letter_policy.max_delivery_attempts == 10
    assert dict(subscription.labels) == {"team": "shop", "managed-by": "ey-data-platform"}


@pytest.mark.long
def test_another_subscription_setting_that_can_not_be_changed_is_refused(environment: dict[str, str], cwd: str) -> None:
    _provision(environment, cwd)
    done = run({**environment, "EYDP_POLLER_ORDERING_KEYS": "true"}, "eydp", "provision", code=78, cwd=cwd)
    assert "has message ordering off but EYDP_POLLER_ORDERING_KEYS wants it on" in done.stderr
    assert "Traceback" not in done.stderr


async def test_pubsub_is_allowed_to_move_dead_letters_once(environment: dict[str, str], cwd: str) -> None:
    await asyncio.to_thread(_provision, environment, cwd)
    platform, member = _platform(environment), service_agent("42")
    publisher = clients.publisher_client(emulators(environment))
    subscriber = clients.subscriber_client(emulators(environment))
    calls = Calls(Retrier(RetryPolicy(10), SystemClock()), timeout_seconds=5)

    async def grant(*, dry_run: bool) -> list[str]:
        steps = provision_grants(publisher, subscriber, platform, member, calls, dry_run=dry_run)
        return [step.verb async for step in steps]

    outcomes = [await grant(dry_run=True), await grant(dry_run=False), await grant(dry_run=False)]
    await publisher.transport.close()
    await subscriber.transport.close()
    assert outcomes == [["grant", "grant"], ["grant", "grant"], ["unchanged", "unchanged"]]
