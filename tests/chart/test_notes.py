"""The notes after an install speak of what was installed."""

import re

import pytest

from support.chart import CHART, NAMESPACE, RELEASE, SCENARIOS, helm, key, scenario


def notes(name: str) -> str:
    given = [f"--values={SCENARIOS[name]}", "--set=project=my-project", f"--namespace={NAMESPACE}"]
    done = helm("install", RELEASE, str(CHART), "--dry-run=client", *given)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


@pytest.mark.parametrize("name", ["values-gke", "values-local", "jobs-only", "consumer-only", "bare", "push-gateway"])
def test_every_object_that_the_notes_name_is_there(name: str) -> None:
    text = notes(name)
    kinds = {"deploy": "Deployment", "cronjob": "CronJob", "name=": "Pod"}

    named = {
        f"{kinds[kind.rstrip('/')]}/{thing}"
        for kind, thing in re.findall(r"(deploy/|cronjob/|name=)([a-z0-9-]+)", text)
    }

    there = {key(manifest) for manifest in scenario(name)}
    assert named
    assert named <= there
    workloads = {name for name in there if name.startswith(("Deployment/", "CronJob/", "Pod/"))}
    assert workloads == named


def test_the_notes_say_what_is_not_as_usual() -> None:
    text = notes("bare")

    assert "Provisioning is off" in text
    assert "The consumer is not scaled: it has 2 pods." in text
    assert "Nobody scrapes the metrics" in text
    assert "Provisioning is off" not in notes("values-gke")


def test_the_notes_say_where_carts_may_be_pushed_to() -> None:
    inside = "http://ey-data-platform-push.shop:8080/v1/carts/events"

    assert inside in notes("push-ingress")
    assert "https://push.shop.example/v1/carts/events by the Ingress" in notes("push-ingress")
    assert "push.shop.example by the Gateway external" in notes("push-gateway")
    assert "pushed" not in notes("values-gke")
