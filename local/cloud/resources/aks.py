"""AKS: managed clusters, their kubeconfig, trusted access, and the events that Azure publishes about them.

Rules:
- Clusters come from outside (`add`), as an infrastructure team's pipeline makes them; the API reads them.
- A cluster of the same name that is made again has the same id, another `resourceUID` and another identity. No answer
  has `systemData` (seen in recorded traffic).
- An id comes back in whatever case: `spell` says how it is written this time.
- The provider's own errors are flat, without `error` around them (seen in recorded traffic).
- Operations of trusted access carry an `error` although they succeed (seen in recorded traffic).
"""

import base64
import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

from local.cloud.arm import REGION, SUBSCRIPTION, Arm, Operation, Resource, iso, not_found
from local.cloud.entra import TENANT
from local.cloud.resources.aks_bodies import kubeconfig, properties
from local.cloud.resources.resource_groups import ResourceGroups
from local.cloud.wire import CloudRequest, Reply, Route

TRUSTED_ACCESS_SECONDS = 18.0
TYPE = "Microsoft.ContainerService/managedClusters"
BINDING_TYPE = f"{TYPE}/trustedAccessRoleBindings"
_MAX_BINDINGS = 8  # AKS docs
_SUBSCRIPTION = "/subscriptions/{subscription}"
_GROUP = _SUBSCRIPTION + "/resourceGroups/{group}"
_CLUSTER = _GROUP + f"/providers/{TYPE}/{{cluster}}"
_BINDING = _CLUSTER + "/trustedAccessRoleBindings/{name}"
_LOCATION = _SUBSCRIPTION + "/providers/Microsoft.ContainerService/locations/{location}"


class ClusterRuntime(Protocol):
    """Where clusters run what is in them, by their names."""

    def add(self, name: str, *, enforces_policies: bool = True) -> object: ...
    def remove(self, name: str) -> object: ...
    def stop(self, name: str) -> object: ...
    def start(self, name: str) -> object: ...


class Aks:
    """`announce` publishes an event of the subscription."""

    def __init__(
        self, arm: Arm, groups: ResourceGroups, kubernetes: ClusterRuntime, announce: Callable[[dict[str, Any]], object]
    ) -> None:
        self._arm, self._groups, self._kubernetes, self._announce = arm, groups, kubernetes, announce
        self.api_servers: dict[str, tuple[str, bytes]] = {}  # URL and authority of those that aren't simulated
        self.spell: Callable[[str], str] = str
        self._stale_errors: dict[str, dict[str, Any]] = {}
        routes = [
            Route("GET", _SUBSCRIPTION + f"/providers/{TYPE}", self._list),
            Route("GET", _GROUP + f"/providers/{TYPE}", self._list),
            Route("GET", _CLUSTER, self._get),
            Route("POST", _CLUSTER + "/listClusterUserCredential", self._credential),
            Route("POST", _CLUSTER + "/listClusterAdminCredential", self._no_static_credential),
            Route("GET", _CLUSTER + "/trustedAccessRoleBindings", arm.list_of(BINDING_TYPE)),
            Route("PUT", _BINDING, self._bind),
            Route("GET", _BINDING, self._binding),
            Route("DELETE", _BINDING, self._unbind),
            Route("GET", _LOCATION + "/operations/{operation}", self._operation),
            Route("GET", _LOCATION + "/operationresults/{operation}", self._result),
        ]
        arm.wire.mount(routes, guard=arm.guard)

    def add(
        self,
        name: str,
        *,
        group: str = "rg-clusters",
        tags: dict[str, str] | None = None,
        oidc: bool = True,
        provisioning: str = "Succeeded",
        kubernetes_version: str = "1.34",
        location: str = REGION,
        network_policy: str = "azure",
    ) -> Resource:
        """Make a cluster exist, with a system-assigned identity of its own and a Kubernetes API at `/k8s/<name>`.

        With `network_policy` none, nothing enforces network policies there.
        """
        self._groups.add(group)
        facts = properties(name, group, kubernetes_version, provisioning, network_policy)
        if oidc:
            issuer = f"https://{REGION}.oic.prod-aks.azure.com/{TENANT}/{uuid.uuid4()}/"
            facts["oidcIssuerProfile"] = {"enabled": True, "issuerURL": issuer}
        identity = self._arm.system_identity(f"aks-{name}")
        cluster = self._arm.store(
            {
                "id": cluster_id(name, group),
                "location": location,
                "name": name,
                "type": "Microsoft.ContainerService/ManagedClusters",
                **({"tags": tags} if tags else {}),
                "properties": facts,
                "identity": identity,
                "sku": {"name": "Base", "tier": "Standard"},
            }
        )
        self._kubernetes.add(name, enforces_policies=network_policy != "none")
        return cluster

    def remove(self, name: str, *, group: str = "rg-clusters") -> None:
        """Delete a cluster with all that belongs to it, and let Azure announce it."""
        cluster = self._arm.resources[cluster_id(name, group).lower()]
        self._arm.remove_tree(cluster["id"])
        self._kubernetes.remove(name)
        self.announce(cluster, operation="delete")

    def stop(self, name: str, *, group: str = "rg-clusters") -> None:
        """What `az aks stop` does: nobody reaches the cluster and nothing runs in it until it is started."""
        self._power(name, group, "Stopped")
        self._kubernetes.stop(name)

    def start(self, name: str, *, group: str = "rg-clusters") -> None:
        """The cluster goes on with what it had when it was stopped."""
        self._power(name, group, "Running")
        self._kubernetes.start(name)

    def _power(self, name: str, group: str, code: str) -> None:
        cluster = self._arm.resources[cluster_id(name, group).lower()]
        cluster["properties"]["powerState"] = {"code": code}

    def announce(self, cluster: Resource, *, operation: str = "write", **overrides: Any) -> None:
        """Publish the event that Resource Manager raises on the cluster; `overrides` replace fields of the envelope.

        `operation` may be a child's, such as agentPools/write.
        """
        action = f"{TYPE}/{operation}"
        subject = cluster["id"].replace("/resourcegroups/", "/resourceGroups/")
        data = {
            "authorization": {"scope": subject, "action": action, "evidence": {"role": "Contributor"}},
            "claims": {"aud": "https://management.azure.com/", "appid": str(uuid.uuid4()), "tid": TENANT},
            "correlationId": str(uuid.uuid4()),
            "resourceProvider": "Microsoft.ContainerService",
            "resourceUri": subject,
            "operationName": action,
            "status": "Succeeded",
            "subscriptionId": SUBSCRIPTION,
            "tenantId": TENANT,
        }
        event = {
            "id": str(uuid.uuid4()),
            "topic": f"/subscriptions/{SUBSCRIPTION}",
            "subject": subject,
            "eventType": f"Microsoft.Resources.Resource{operation.rpartition('/')[2].capitalize()}Success",
            "eventTime": iso(self._arm.clock.time()),
            "data": data,
            "dataVersion": "2",
            "metadataVersion": "1",
        }
        self._announce(event | overrides)

    def _list(self, call: CloudRequest) -> Reply:
        listed = self._arm.list_of(TYPE)(call).body["value"]
        return Reply(body={"value": [cluster | {"id": self.spell(cluster["id"])} for cluster in listed]})

    def _get(self, call: CloudRequest) -> Reply:
        """The cluster, whose API server has the name at which it is on loopback."""
        reply = self._arm.get(call)
        if reply.status != HTTPStatus.OK:
            return reply
        server, _ = self._api_server(reply.body["name"])
        shown = reply.body["properties"] | {"fqdn": urlsplit(server).hostname}
        return Reply(body=reply.body | {"id": self.spell(reply.body["id"]), "properties": shown})

    def _api_server(self, name: str) -> tuple[str, bytes]:
        """URL and authority."""
        return self.api_servers.get(name, (f"{self._arm.wire.url}/k8s/{name}", self._arm.wire.ca_pem))

    def _credential(self, call: CloudRequest) -> Reply:
        cluster = self._arm.find(call.path.rpartition("/")[0])
        if cluster is None:
            return not_found(call)
        server, authority = self._api_server(cluster["name"])
        config = kubeconfig(
            name=cluster["name"],
            group=call.params["group"],
            server=server,
            authority=base64.b64encode(authority).decode(),
        )
        return Reply(
            body={"kubeconfigs": [{"name": "clusterUser", "value": base64.b64encode(config.encode()).decode()}]}
        )

    def _no_static_credential(self, _: CloudRequest) -> Reply:
        message = "Getting static credential is not allowed because this cluster is set to disable local accounts."
        return _flat(400, "BadRequest", message)

    def _binding(self, call: CloudRequest) -> Reply:
        binding = self._arm.find(call.path)
        return Reply(body=binding) if binding else _no_binding(call)

    def _bind(self, call: CloudRequest) -> Reply:
        cluster_path = call.path.rsplit("/", 2)[0]
        others = [b for b in self._arm.of_type(BINDING_TYPE, under=cluster_path) if b["id"] != call.path]
        if self._arm.find(cluster_path) is None:
            return not_found(call)
        if len(call.params["name"]) > 24 or len(others) >= _MAX_BINDINGS:
            return _flat(
                400, "InvalidParameter", "The binding's name is too long or the cluster has too many bindings."
            )
        binding: Resource = {
            "id": call.path,
            "name": call.params["name"],
            "type": BINDING_TYPE,
            "properties": {"provisioningState": "Updating", **call.body["properties"]},
        }
        self._arm.store(binding)
        done = binding | {"properties": binding["properties"] | {"provisioningState": "Succeeded"}}
        operation = self._arm.begin(TRUSTED_ACCESS_SECONDS, lambda _: self._arm.store(done))
        absent = _no_binding(call).body
        self._stale_errors[operation.id] = {key: absent[key] for key in ("code", "message", "details")}
        return Reply(status=201, body=binding, headers=self._headers(call, operation))

    def _unbind(self, call: CloudRequest) -> Reply:
        if self._arm.find(call.path) is None:
            return Reply(status=204)
        operation = self._arm.begin(TRUSTED_ACCESS_SECONDS, lambda _: self._arm.remove(call.path))
        headers = self._headers(call, operation)
        location = headers["Azure-AsyncOperation"].replace("/operations/", "/operationresults/")
        return Reply(status=202, headers={**headers, "Location": location})

    def _headers(self, call: CloudRequest, operation: Operation) -> dict[str, str]:
        provider = f"/subscriptions/{call.params['subscription']}/providers/Microsoft.ContainerService"
        path = f"{provider}/locations/{REGION}/operations/{operation.id}"
        return {"Azure-AsyncOperation": self._arm.link(path, "2016-03-30")}

    def _operation(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        if operation is None:
            return _flat(404, "NotFound", "The operation was not found.")
        body = {"name": operation.id, "status": operation.status, "startTime": iso(operation.started)}
        ended = {} if operation.open else {"endTime": iso(operation.ends)}
        stale = self._stale_errors.get(operation.id)
        return Reply(body=body | ended | ({"error": stale} if stale else {}))

    def _result(self, call: CloudRequest) -> Reply:
        operation = self._arm.operations.get(call.params["operation"])
        return Reply(status=202 if operation and operation.open else 204)


def cluster_id(name: str, group: str = "rg-clusters") -> str:
    """The ARM id of a cluster as AKS spells it, with a lower-case `resourcegroups`."""
    return f"/subscriptions/{SUBSCRIPTION}/resourcegroups/{group}/providers/{TYPE}/{name}"


def _flat(status: int, code: str, message: str, subcode: str = "") -> Reply:
    return Reply(status=status, body={"code": code, "details": None, "message": message, "subcode": subcode})


def _no_binding(call: CloudRequest) -> Reply:
    message = (
        f"Could not find the trusted access role binding {call.params['name']} in subscription: "
        f"{call.params['subscription']}, resourceGroup: {call.params['group']}, clusterName: {call.params['cluster']}."
    )
    reply = _flat(404, "NotFound", message, "GetTrustedAccessRoleBinding_NotFound")
    cause = "rpc error: code = NotFound desc = TrustedAccessRoleBinding not found"
    reply.body["details"] = [{"code": "Unspecified", "message": cause}]
    return reply
