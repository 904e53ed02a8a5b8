"""CustomResourceDefinitions: the kinds that they define are served."""

from local.cloud.kubernetes.cluster import SimulatedCluster
from local.cloud.kubernetes.controllers.status import condition
from local.cloud.kubernetes.objects import Object


def reconcile(cluster: SimulatedCluster, definition: Object) -> None:
    spec = definition["spec"]
    for version in spec["versions"]:
        if version.get("served", True) and not cluster.served(spec["group"], version["name"], spec["names"]["plural"]):
            cluster.register(
                f"{spec['group']}/{version['name']}",
                spec["names"]["plural"],
                spec["names"]["kind"],
                namespaced=spec["scope"] == "Namespaced",
            )
    cluster.set_status(definition, conditions=[condition("Established", True, "InitialNamesAccepted")])
