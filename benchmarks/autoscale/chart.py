"""The chart's values as settings of the simulation."""

from pathlib import Path
from typing import Any

import yaml

from autoscale.hpa import Behavior
from autoscale.model import Mode, Settings

VALUES = Path(__file__).resolve().parents[2] / "helm" / "ey-data-platform" / "values.yaml"


def defaults(mode: Mode) -> Settings:
    """Return what the chart does by default, in one of its modes."""
    values: dict[str, Any] = yaml.safe_load(VALUES.read_text(encoding="utf-8"))
    scaling = values["autoscaling"]
    hpa, keda = scaling["hpa"], scaling["keda"]
    return Settings(
        mode=mode,
        behavior=Behavior(
            min_replicas=scaling["minReplicas"],
            max_replicas=scaling["maxReplicas"],
            up_percent=scaling["scaleUpPercent"],
            up_pods=scaling["scaleUpPods"],
            down_percent=scaling["scaleDownPercent"],
            down_seconds=scaling["scaleDownSeconds"],
        ),
        replicas=values["consumer"]["replicas"],
        backlog_per_pod=(keda if mode == "keda" else hpa)["backlogPerPod"],
        oldest_age_seconds=hpa["oldestAgeSeconds"],
        cpu_percent=(keda if mode == "keda" else hpa).get("cpuPercent", 0),
        saturation_per_pod=keda["saturationPerPod"],
    )
