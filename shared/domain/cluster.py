"""A managed Kubernetes cluster, as the resource manager knows it.

Resource ids are compared without case. A cluster that was deleted and created again keeps its id: only id and
incarnation together name one.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from shared.domain.errors import PermanentError, shown
from shared.domain.incarnation import Incarnation
from shared.domain.resource_id import ResourceId, folded, parsed, same

MESH_TAG = "meshward:mesh"
TRUST_DOMAIN_TAG = "meshward:trust-domain"
PROTECT_TAG = "meshward:protect"
CLUSTERS = "Microsoft.ContainerService/managedClusters"
MESHES = frozenset({"linkerd"})
_DNS_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_READABLE: dict[str, tuple[Callable[[str], object], str]] = {
    PROTECT_TAG: ({"true", "false"}.__contains__, "true or false"),
    MESH_TAG: (MESHES.__contains__, " or ".join(sorted(MESHES))),
    TRUST_DOMAIN_TAG: (_DNS_NAME.fullmatch, "a DNS name"),
}


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
        """The tag's value without blanks around it, empty without it; names of tags are compared without case."""
        return tag_in(self.tags, tag)

    def unreadable(self, *tags: str) -> str:
        """What the first of these tags says that can't be read, and what it may say; empty if each can be read."""
        for tag in tags:
            reads, form = _READABLE[tag]
            if (value := self.tag(tag)) and not reads(folded(value)):
                return f"tag {tag} of cluster {self.name} is {shown(value)!r}, and not {form}"
        return ""

    def tagged(self, tag: str, value: str) -> bool:
        """Whether the tag has this value, in whatever case: what somebody meant isn't taken for its opposite."""
        return same(self.tag(tag), value)


def tag_in(tags: Mapping[str, str], tag: str) -> str:
    """The value of this tag without blanks around it, empty without it; names of tags are compared without case."""
    return next((value.strip() for name, value in tags.items() if same(name, tag)), "")


def require_readable(cluster: Cluster, *tags: str) -> None:
    """Raise PermanentError "BadTag" if what one of these tags says can't be read: it isn't taken for its absence."""
    if bad := cluster.unreadable(*tags):
        raise PermanentError("BadTag", f"{bad}: correct it, or remove it")


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
