"""Settings of the dbt job, `EYDP_DBT_…`, and what of all settings dbt's own files read."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from dataplatform.clients import http_address
from dataplatform.errors import ConfigurationError
from dataplatform.settings import PREFIX, EmulatorSettings, PlatformSettings, Section

type Target = Literal["local", "gke"]


class DbtSettings(Section):
    """Where the dbt project is, where it writes, and what a query may cost."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}DBT_")
    title = "dbt"

    project_dir: str = Field("", description="Folder of dbt_project.yml; empty means the one beside the package.")
    target_path: str = Field(
        ".local/dbt", min_length=1, description="Folder for compiled SQL, artifacts and logs; outside the project."
    )
    target: Literal["", "local", "gke"] = Field(
        "", description="Target of profiles.yml; empty means `local` when a BigQuery emulator is set, else `gke`."
    )
    max_bytes_billed: int = Field(
        100 << 30, gt=0, description="A query of target `gke` that would read more bytes fails before it costs."
    )
    audit: bool = Field(
        default=True, description="`build` writes marts under another name and publishes them when no test failed."
    )
    require_loads: bool = Field(
        default=False, description="`daily` ends with 69 when products or users of its day are not loaded."
    )
    wait_seconds: float = Field(
        0, ge=0, description="`daily` waits so long for the loads of its day; 0 means that it looks once."
    )
    lease_seconds: float = Field(120, gt=0, description="A `daily` run that died keeps others away for so long.")
    metrics_file: str = Field("", description="`daily` writes its metrics there at the end; empty means nowhere.")
    run_id: str = Field("", description="Label `run_id` of the BigQuery jobs; empty means dbt's invocation id.")

    def resolved_project_dir(self) -> Path:
        """Return the absolute folder of the dbt project.

        Raises:
            ConfigurationError: when no dbt_project.yml is there.
        """
        folder = Path(self.project_dir).resolve() if self.project_dir else Path(__file__).resolve().parents[1]
        if not (folder / "dbt_project.yml").is_file():
            raise ConfigurationError(
                f"no dbt_project.yml in {folder}: set {self.variable('project_dir')} to the folder of the dbt project."
            )
        return folder

    def resolved_target_path(self) -> Path:
        """Return the absolute folder that dbt writes to, made if need be.

        Raises:
            ConfigurationError: when it lies inside the dbt project, or cannot be made.
        """
        folder = Path(self.target_path).resolve()
        if folder.is_relative_to(self.resolved_project_dir()):
            raise ConfigurationError(
                f"{self.variable('target_path')} is {folder}, inside the dbt project, which may be read-only: "
                "choose a folder outside it, or start from another folder."
            )
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"{self.variable('target_path')} is {folder}, which cannot be made: {error.strerror}."
            ) from error
        return folder


def choose_target(own: DbtSettings, emulators: EmulatorSettings, asked: str | None) -> Target:
    """Return the target: the one asked for, else the configured one, else by whether an emulator is set.

    Raises:
        ConfigurationError: for a target that profiles.yml does not have, or `local` without an emulator.
    """
    chosen = asked or own.target or ("local" if emulators.bigquery_emulator_host else "gke")
    if chosen == "local":
        if not emulators.bigquery_emulator_host:
            raise ConfigurationError(
                "target local needs an emulator: set BIGQUERY_EMULATOR_HOST to its host:port, or choose target gke."
            )
        return "local"
    if chosen == "gke":
        return "gke"
    raise ConfigurationError(f"there is no target {chosen!r}: choose local or gke.")


def dbt_environment(
    platform: PlatformSettings, emulators: EmulatorSettings, own: DbtSettings, target: Target
) -> dict[str, str]:
    """Return the variables that profiles.yml, sources.yml and dbt itself read.

    Everything is stated, defaults too: a `.env` file counts, which dbt would not read, and paths hold for
    commands that have no option for them.
    """
    target_path = own.resolved_target_path()
    project_dir = str(own.resolved_project_dir())
    variables = {
        platform.variable("project"): platform.project,
        platform.variable("location"): platform.location,
        platform.variable("dataset_raw"): platform.dataset_raw,
        platform.variable("dataset_analytics"): platform.dataset_analytics,
        own.variable("target"): target,
        own.variable("max_bytes_billed"): str(own.max_bytes_billed),
        "DBT_PROJECT_DIR": project_dir,
        "DBT_PROFILES_DIR": project_dir,
        "DBT_TARGET_PATH": str(target_path),
        "DBT_LOG_PATH": str(target_path / "logs"),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    if emulators.bigquery_emulator_host:
        variables["BIGQUERY_EMULATOR_HOST"] = http_address(emulators.bigquery_emulator_host).rstrip("/")
    if own.run_id:
        variables[own.variable("run_id")] = own.run_id
    return variables
