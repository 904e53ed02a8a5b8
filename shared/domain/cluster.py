"""A managed Kubernetes cluster, as the resource manager knows it.

Resource ids are compared without case. A cluster that was deleted and created again keeps its id: only id and
incarnation together name one.
"""

import msgspec

from shared.domain.errors import PermanentError, shown
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import ResourceId, folded, parsed, same

MESH_TAG = "meshward:mesh"
TRUST_DOMAIN_TAG = "meshward:trust-domain"
PROTECT_TAG = "meshward:protect"
CLUSTERS = "Microsoft.ContainerService/managedClusters"


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster's facts; None or empty where the resource manager doesn't say."""

    id: str  # resource id
    name: str  # of the resource
    resource_group: str  # name
    subscription_id: str  # GUID
    location: str  # Azure region
    tags: dict[str, str]  # as Azure spells them
    provisioning_state: str = ""  # Azure's word, such as Succeeded
    power_state: str = ""  # Running or Stopped
    principal_id: str | None = None  # object id of the control plane's identity; the first one, if user-assigned
    oidc_issuer: str | None = None  # URL that issues its service account tokens
    node_resource_group: str | None = None  # name of the group that AKS made for its nodes
    network_policy: str = ""  # the engine that enforces network policies: azure, calico, cilium, none
    incarnation: Incarnation = Incarnation()  # what tells it from others of the same id

    @property
    def mesh(self) -> str:
        """The mesh that its tag names, in lower case, empty without one."""
        return folded(self.tag(MESH_TAG))

    @property
    def trust_domain(self) -> str:
        """The trust domain that its tag names, in lower case, empty without one."""
        return folded(self.tag(TRUST_DOMAIN_TAG))

    @property
    def stopped(self) -> bool:
        """Whether nobody reaches it and nothing runs in it until it is started."""
        return same(self.power_state, "Stopped")

    def tag(self, tag: str) -> str:
        """The tag's value, empty without it; names of tags are compared without case."""
        return next((value for name, value in self.tags.items() if same(name, tag)), "")

    def tagged(self, tag: str, value: str) -> bool:
        """Whether the tag has this value, in whatever case: what somebody meant isn't taken for its opposite."""
        return same(self.tag(tag), value)


def require_started(cluster: Cluster) -> Cluster:
    """The cluster; raises PermanentError while it is stopped."""
    if cluster.stopped:
        raise PermanentError("ClusterStopped", f"cluster {cluster.name} is stopped: start it with az aks start")
    return cluster


def cluster_id(text: str) -> ResourceId:
    """A cluster's resource id; raises PermanentError "NotACluster" for any other text."""
    found = parsed(text)
    if found is None or not found.of_type(CLUSTERS):
        raise PermanentError("NotACluster", f"{shown(text)} isn't the resource id of a managed cluster")
    return found
