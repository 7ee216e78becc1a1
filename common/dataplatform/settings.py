"""Configuration: environment variables (and a `.env` file), parsed once into frozen sections.

Each program loads the sections it needs. Variables are `EYDP_<SECTION>_<FIELD>`; the platform's own section has no
middle part. The emulators keep the names that Google's clients gave them. `docs/configuration.md` and `.env.example`
are generated from the classes.
"""

import difflib
import os
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from dotenv import dotenv_values
from pydantic import Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from dataplatform.errors import ConfigurationError

PREFIX = "EYDP_"
ENV_FILE = ".env"

#: Second words of variables that belong to a section; each program ignores those of the others.
SECTION_NAMES = ("SOURCE", "POLLER", "PUSH", "CONSUMER", "BATCH", "DBT", "REPLAY", "LOCAL")

Seconds = Annotated[float, Field(gt=0)]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,254}$")]


class Section(BaseSettings):
    """A group of settings that is read and frozen together."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_file=ENV_FILE, env_ignore_empty=True)
    title: ClassVar[str] = ""

    @classmethod
    def variable(cls, field: str) -> str:
        """Return the environment variable that sets `field`."""
        return f"{cls.model_config.get('env_prefix', '')}{field}".upper()


class PlatformSettings(Section):
    """Names on the cloud and habits that all programs share."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)
    title = "Platform"

    project: Name = Field(description="Google Cloud project that holds topic, bucket and datasets.")
    location: Name = Field("US", description="Location of bucket and datasets; both must be compatible.")
    bucket: str = Field("", description="Raw zone bucket; empty means `{project}-raw-data`.")
    dataset_raw: Name = Field("bq_raw", description="Dataset of the raw tables.")
    dataset_analytics: Name = Field("bq_analytics", description="Dataset of the marts.")
    topic: Name = Field("carts-events", description="Topic of the cart events.")
    subscription: Name = Field("carts-events-sub", description="Subscription the consumers share.")
    dead_letter_topic: Name = Field("carts-events-dlq", description="Where messages go after too many deliveries.")
    dead_letter_subscription: Name = Field("carts-events-dlq-sub", description="Keeps the dead letters for redrive.")
    push_topic: Name = Field("carts-pushed", description="Topic of the carts that clients push.")
    push_subscription: Name = Field("carts-pushed-sub", description="Subscription the poller takes pushed carts from.")
    log_format: Literal["auto", "json", "console"] = Field(
        "auto",
        description="`json` for Cloud Logging, `console` for people, `auto` by whether a terminal reads it.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least severity to log.")
    metrics_host: str = Field("127.0.0.1", description="Address of /metrics, /livez, /readyz; a pod sets 0.0.0.0.")
    metrics_port: int = Field(
        9090, ge=0, le=65535, description="Port of /metrics, /livez, /readyz; 0 takes a free one."
    )
    request_timeout_seconds: Seconds = Field(10, description="Deadline of one request to a Google service.")
    retry_deadline_seconds: Seconds = Field(120, description="How long one operation is retried before it fails.")

    @property
    def bucket_name(self) -> str:
        """Return the bucket, the default one when none is set."""
        return self.bucket or f"{self.project}-raw-data"

    @property
    def topic_path(self) -> str:
        """Return the full resource name of the topic."""
        return f"projects/{self.project}/topics/{self.topic}"

    @property
    def subscription_path(self) -> str:
        """Return the full resource name of the subscription."""
        return f"projects/{self.project}/subscriptions/{self.subscription}"

    @property
    def push_topic_path(self) -> str:
        """Return the full resource name of the topic of pushed carts."""
        return f"projects/{self.project}/topics/{self.push_topic}"

    @property
    def push_subscription_path(self) -> str:
        """Return the full resource name of the subscription to it."""
        return f"projects/{self.project}/subscriptions/{self.push_subscription}"

    def raw_table(self, name: str) -> str:
        """Return `project.dataset.table` of a raw table."""
        return f"{self.project}.{self.dataset_raw}.{name}"


class EmulatorSettings(Section):
    """Where the emulators are, under the names of Google's clients. All empty on the cloud."""

    title = "Emulators"

    pubsub_emulator_host: str = Field("", description="host:port of a Pub/Sub emulator.")
    storage_emulator_host: str = Field("", description="Address of a Cloud Storage emulator.")
    bigquery_emulator_host: str = Field("", description="Address of a BigQuery emulator.")
    bigquery_storage_emulator_host: str = Field("", description="host:port of its Storage Write API.")


class SourceSettings(Section):
    """The shop's REST API."""

    model_config = SettingsConfigDict(env_prefix=f"{PREFIX}SOURCE_")
    title = "Source"

    url: str = Field("https://fakestoreapi.com", pattern=r"^https?://\S+$", description="Base address of the API.")
    name: Name = Field("fakestore", description="Name of the shop, kept in every event and row.")
    user_agent: str = Field("ey-data-platform", min_length=1, description="User-Agent header; the API refuses none.")
    connect_timeout_seconds: Seconds = Field(5, description="Deadline for a connection.")
    read_timeout_seconds: Seconds = Field(10, description="Longest silence while an answer arrives.")
    total_timeout_seconds: Seconds = Field(120, description="Deadline for a whole answer.")
    retry_deadline_seconds: Seconds = Field(45, description="How long one request is retried before the poll fails.")
    max_body_bytes: int = Field(2 << 30, gt=0, description="An answer larger than this is refused.")
    max_record_chars: int = Field(16 << 20, gt=0, description="A record of an answer longer than this is refused.")
    headers_dir: str = Field(
        "",
        description="Folder with one file a header, such as Authorization: its name is the header's, its text the "
        "value. Read before each request, so that a rotated secret counts at once.",
    )


def load[S: Section](section: type[S]) -> S:
    """Read one section from the environment and `.env`.

    Raises:
        ConfigurationError: with a sentence for each setting that is missing, of the wrong type or out of range.
    """
    try:
        return section()
    except ValidationError as error:
        sentences = [_sentence(section, detail) for detail in error.errors()]
        raise ConfigurationError("\n".join(sentences)) from error


def refuse_unknown(*sections: type[Section], environ: Mapping[str, str] | None = None) -> None:
    """Refuse `EYDP_` variables that no section knows, so that a misspelt setting never goes unnoticed.

    Variables of sections that this program does not load are left alone: one ConfigMap serves all programs.

    Raises:
        ConfigurationError: with a sentence that names the variable and the nearest known one.
    """
    known = {section.variable(field) for section in sections for field in section.model_fields}
    loaded = {section.variable("") for section in sections}
    others = tuple(f"{PREFIX}{name}_" for name in SECTION_NAMES if f"{PREFIX}{name}_" not in loaded)
    given = dict(os.environ if environ is None else environ)
    if environ is None:
        given.update({key: value or "" for key, value in dotenv_values(ENV_FILE).items()})
    for variable in sorted(given):
        if not variable.startswith(PREFIX) or variable in known or variable.startswith(others):
            continue
        near = difflib.get_close_matches(variable, known, n=1)
        hint = f"did you mean {near[0]}?" if near else "see docs/configuration.md for the settings there are."
        raise ConfigurationError(f"{variable} is not a setting of this program; {hint}")


def _sentence(section: type[Section], detail: ErrorDetails) -> str:
    name = str(detail["loc"][0]) if detail["loc"] else ""
    field = section.model_fields.get(name)
    variable = section.variable(name)
    meaning = f" ({field.description})" if field and field.description else ""
    if detail["type"] == "missing":
        return f"{variable} is required but not set: set it in the environment or in {ENV_FILE}{meaning}."
    value: Any = detail["input"]
    message = detail["msg"]
    return f"{variable} is {value!r}, which is not valid: {message[:1].lower()}{message[1:]}{meaning}."
