"""What every Config Connector object has in common."""

import re
from collections.abc import Mapping
from typing import Any

from eydp.provision.plan import LABELS

#: A manifest: a Kubernetes object as plain data.
Manifest = dict[str, Any]

_PREFIX = "cnrm.cloud.google.com"


def manifest(
    group: str,
    kind: str,
    name: str,
    project: str,
    spec: Mapping[str, Any],
    *,
    labels: Mapping[str, str] | None = None,
    keep: bool = False,
) -> Manifest:
    """Return an object. With `keep` its resource on the cloud stays when the object is deleted from the cluster."""
    # Otherwise Config Connector writes what it finds on the cloud into the spec, and later takes it for wanted.
    annotations = {f"{_PREFIX}/project-id": project, f"{_PREFIX}/state-into-spec": "absent"}
    if keep:
        annotations[f"{_PREFIX}/deletion-policy"] = "abandon"
    metadata: dict[str, Any] = {"name": name, "annotations": annotations}
    if labels is not None:
        metadata["labels"] = dict(labels)
    return {"apiVersion": f"{group}.{_PREFIX}/v1beta1", "kind": kind, "metadata": metadata, "spec": dict(spec)}


def labelled(group: str, kind: str, name: str, project: str, spec: Mapping[str, Any], **more: Any) -> Manifest:
    """Return an object whose labels go to the resource on the cloud: those of the platform and `more` ones."""
    extra: Mapping[str, str] = more.pop("labels", {})
    return manifest(group, kind, name, project, spec, labels={**LABELS, **extra}, **more)


def kubernetes_name(name: str) -> str:
    """Return a name that Kubernetes takes for a resource whose own name may have capitals and underscores."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")
