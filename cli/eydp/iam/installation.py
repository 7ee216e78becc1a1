"""One installation: its project, its namespace, and what its components are called by IAM."""

from dataclasses import dataclass
from typing import Literal

from dataplatform.settings import PlatformSettings
from eydp.iam.grants import OPERATOR, PUBSUB_AGENT
from eydp.provision.grants import service_agent

#: `direct` grants to the Kubernetes service account itself; `annotation` to a Google service account it acts as.
Identity = Literal["direct", "annotation"]
IDENTITIES: tuple[Identity, ...] = ("direct", "annotation")


@dataclass(frozen=True, slots=True)
class Installation:
    """Whom the grants are for. `fullname` is the chart's, `operator` an IAM member such as `group:ops@example.com`."""

    platform: PlatformSettings
    project_number: str
    namespace: str
    fullname: str
    operator: str
    ordering: bool = False

    @property
    def project(self) -> str:
        """Return the project's id."""
        return self.platform.project

    def kubernetes_account(self, component: str) -> str:
        """Return the name of a component's service account in Kubernetes."""
        return f"{self.fullname}-{component}"

    def google_account(self, component: str) -> str:
        """Return the name of a component's Google service account, used with `annotation` alone; 30 letters at most."""
        return f"eydp-{component}"

    def google_email(self, component: str) -> str:
        """Return the address of a component's Google service account."""
        return f"{self.google_account(component)}@{self.project}.iam.gserviceaccount.com"

    def impersonator(self, component: str) -> str:
        """Return the member that may act as the Google service account: the Kubernetes one."""
        pool = f"{self.project}.svc.id.goog"
        return f"serviceAccount:{pool}[{self.namespace}/{self.kubernetes_account(component)}]"

    def member(self, component: str, identity: Identity) -> str:
        """Return the IAM member that a component's roles are granted to."""
        if component == OPERATOR:
            return self.operator
        if component == PUBSUB_AGENT:
            return service_agent(self.project_number)
        if identity == "annotation":
            return f"serviceAccount:{self.google_email(component)}"
        return (
            f"principal://iam.googleapis.com/projects/{self.project_number}/locations/global/workloadIdentityPools/"
            f"{self.project}.svc.id.goog/subject/ns/{self.namespace}/sa/{self.kubernetes_account(component)}"
        )


def example() -> Installation:
    """Return the installation that the committed files speak of: every setting at its default."""
    # Not read from the environment, which must not change what the repository holds.
    platform = PlatformSettings.model_construct(project="my-project")
    return Installation(
        platform, "123456789012", "ey-data-platform", "ey-data-platform", "group:data-platform-operators@example.com"
    )
