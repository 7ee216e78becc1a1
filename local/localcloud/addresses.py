"""From ports to what programs want: addresses, and the environment variables that carry them."""

from pathlib import Path

from localcloud.ports import HOST, Ports

BIGQUERYRC = "bigqueryrc"


def endpoints(ports: Ports) -> dict[str, str]:
    """Return the address of each server: `http://…` where it speaks HTTP, `host:port` where it speaks gRPC."""
    return {
        "source": f"http://{HOST}:{ports.source}",
        "pubsub": f"{HOST}:{ports.pubsub}",
        "pubsub_rest": f"http://{HOST}:{ports.pubsub_rest}",
        "pubsub_admin": f"http://{HOST}:{ports.pubsub_admin}",
        "storage": f"http://{HOST}:{ports.storage}",
        "bigquery": f"http://{HOST}:{ports.bigquery}",
        "bigquery_storage": f"{HOST}:{ports.bigquery_grpc}",
    }


def environment(ports: Ports, project: str) -> dict[str, str]:
    """Return the standard variables of Google's clients, and the platform's own."""
    at = endpoints(ports)
    return {
        "EYDP_PROJECT": project,
        "EYDP_SOURCE_URL": at["source"],
        "GOOGLE_CLOUD_PROJECT": project,
        "PUBSUB_EMULATOR_HOST": at["pubsub"],
        "STORAGE_EMULATOR_HOST": at["storage"],
        "BIGQUERY_EMULATOR_HOST": at["bigquery"],
        "BIGQUERY_STORAGE_EMULATOR_HOST": at["bigquery_storage"],
    }


def bigqueryrc(ports: Ports, project: str) -> str:
    """Return the text of the file in which `bq` finds its defaults."""
    api = endpoints(ports)["bigquery"]
    return f"api = {api}\nproject_id = {project}\n\n[query]\n--use_legacy_sql=false\n"


def tools(ports: Ports, project: str, data_dir: Path) -> dict[str, str]:
    """Return what makes `bq` and `gcloud` talk to the stack, once `bigqueryrc` is in `data_dir`.

    An access token must be there, though no emulator looks at it: without one both tools ask for a login first.
    """
    at = endpoints(ports)
    return {
        "BIGQUERYRC": str(data_dir / BIGQUERYRC),
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "local",
        "CLOUDSDK_CORE_PROJECT": project,
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_BIGQUERY": f"{at['bigquery']}/bigquery/v2/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": f"{at['pubsub_rest']}/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{at['storage']}/storage/v1/",
    }
