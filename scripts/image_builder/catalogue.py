"""Which images there are, and what may be in each."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Image:
    """One image: `lock` is its file below requirements/, `packages` what it has of the project besides `common`."""

    name: str
    folder: str
    lock: str
    packages: tuple[str, ...]

    @property
    def dockerfile(self) -> Path:
        """The path of the Dockerfile."""
        return ROOT / self.folder / "Dockerfile"


COMMON = "common/dataplatform"

IMAGES = {
    image.name: image
    for image in (
        Image("poller", "services/poller", "poller", ("services/poller/carts_poller",)),
        Image("consumer", "services/consumer", "consumer", ("services/consumer/carts_consumer",)),
        Image("batch", "jobs/batch", "batch", ("jobs/batch/batch_ingest",)),
        Image("dbt", "jobs/dbt", "dbt", ("jobs/dbt/dbt_job",)),
        Image("local", "local", "local", ("local/localcloud",)),
        Image(
            "eydp",
            "cli",
            "cli",
            (
                "services/poller/carts_poller",
                "services/consumer/carts_consumer",
                "jobs/batch/batch_ingest",
                "jobs/dbt/dbt_job",
                "local/localcloud",
                "cli/eydp",
            ),
        ),
    )
}
