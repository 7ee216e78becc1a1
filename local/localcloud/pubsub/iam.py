"""The methods of `google.iam.v1.IAMPolicy`: policies are kept and returned, and never enforced."""

from itertools import count

from google.iam.v1 import iam_policy_pb2, policy_pb2

from localcloud.pubsub.broker import Broker
from localcloud.pubsub.errors import Code, PubsubError
from localcloud.pubsub.protos import Proto


class IamApi:
    """One method a call. Whoever asks has every permission, as there is nobody to tell apart."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._policies: dict[str, Proto] = {}
        self._versions = count(1)

    def _check(self, resource: str) -> None:
        find = {
            "topics": self._broker.topic,
            "subscriptions": self._broker.subscription,
            "snapshots": self._broker.snapshot,
        }
        collection = resource.split("/")[2] if resource.count("/") == 3 else ""
        find.get(collection, self._broker.topic)(resource)

    def _get(self, resource: str) -> Proto:
        return self._policies.get(resource) or policy_pb2.Policy(etag=b"0")

    def set_iam_policy(self, request: Proto) -> Proto:
        """Replace the policy of a resource; an etag that is not the current one is refused with `ABORTED`."""
        self._check(request.resource)
        given = request.policy
        if given.etag and given.etag != self._get(request.resource).etag:
            raise PubsubError(
                Code.ABORTED,
                "There were concurrent policy changes. Please retry the whole read-modify-write.",
            )
        policy = policy_pb2.Policy()
        policy.CopyFrom(given)
        policy.etag = b"%d" % next(self._versions)
        self._policies[request.resource] = policy
        return policy

    def get_iam_policy(self, request: Proto) -> Proto:
        """Return the policy of a resource, an empty one when none was set."""
        self._check(request.resource)
        return self._get(request.resource)

    def test_iam_permissions(self, request: Proto) -> Proto:
        """Return all the permissions asked for."""
        self._check(request.resource)
        return iam_policy_pb2.TestIamPermissionsResponse(permissions=request.permissions)
