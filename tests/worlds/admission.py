"""Lists of who belongs to a trust domain, as adapters read them."""

from local.cloud.arm import SUBSCRIPTION
from local.scenario import TRUST_DOMAIN
from shared.domain.admission import AdmittedCluster, AllowList
from shared.domain.resource_id import subscription_scope
from tests.worlds.mesh import DOMAIN

_WHOLE = [str(subscription_scope(SUBSCRIPTION))]


async def everyone() -> AllowList:
    """All clusters of the simulated subscription belong to the trust domain that they claim."""
    return AllowList({TRUST_DOMAIN: _WHOLE, DOMAIN: _WHOLE})


def admitted(cluster: str) -> AdmittedCluster:
    """A cluster (resource id) that claims no trust domain."""
    return AllowList({}).contactable("", cluster)
