"""What a rule is. Expressions hold placeholders that the chart replaces by what it knows of an installation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

#: The namespace of the release.
NAMESPACE = "__NAMESPACE__"
#: What the names of the release's Deployments begin with.
NAME = "__NAME__"
#: What the names of the release's CronJobs begin with; long ones are cut.
SHORT = "__SHORT__"
#: The subscription that the consumers share, and that of the dead letters.
SUBSCRIPTION = "__SUBSCRIPTION__"
DEAD_LETTERS = "__DEAD_LETTERS__"
#: Where the runbooks are, as people on call reach them.
RUNBOOKS = "__RUNBOOKS__"

type Severity = Literal["critical", "warning"]


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `summary` and `description` may hold Prometheus' templates; the runbook has the alert's name."""

    name: str
    severity: Severity
    expr: str
    lasts: str
    summary: str
    description: str
    labels: Mapping[str, str] = field(default_factory=dict)

    def rule(self, component: str) -> dict[str, Any]:
        """Return the alert as Prometheus reads it."""
        return {
            "alert": self.name,
            "expr": self.expr,
            "for": self.lasts,
            "labels": {"severity": self.severity, "component": component, **self.labels},
            "annotations": {
                "summary": self.summary,
                "description": self.description,
                "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            },
        }


@dataclass(frozen=True, slots=True)
class Recording:
    """A series that is computed again and again, so that alerts and dashboards need not."""

    record: str
    expr: str

    def rule(self, component: str) -> dict[str, Any]:
        """Return the recording rule as Prometheus reads it."""
        return {"record": self.record, "expr": self.expr, "labels": {"component": component}}


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that belong together. The chart leaves out the groups of a component that is switched off.

    `component` is a key of the chart's values with `enabled`, or `pods`, which is always there.
    """

    component: str
    topic: str
    rules: Sequence[Alert | Recording]

    @property
    def name(self) -> str:
        """Return the group's name; what stands before the dot decides whether the chart keeps it."""
        return f"{self.component}.{self.topic}"

    @property
    def alerts(self) -> list[Alert]:
        """Return the group's alerts."""
        return [rule for rule in self.rules if isinstance(rule, Alert)]

    def document(self) -> dict[str, Any]:
        """Return the group as Prometheus reads it."""
        return {"name": self.name, "interval": "1m", "rules": [rule.rule(self.component) for rule in self.rules]}
