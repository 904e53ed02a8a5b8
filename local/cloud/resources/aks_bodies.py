"""What AKS answers about a cluster: complete bodies, shaped after recorded traffic."""

import uuid
from typing import Any

from local.cloud.arm import REGION, SUBSCRIPTION
from local.cloud.entra import TENANT

ENTRA_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"  # the AKS Entra server, the same everywhere
ENTRA_CLIENT = "80faf920-1908-4b52-b5ef-a8e7bedfc67a"  # kubelogin's app for interactive users


def properties(name: str, group: str, version: str, provisioning: str, network_policy: str) -> dict[str, Any]:
    """A cluster's properties as AKS answers them: one Linux pool, Entra with Azure RBAC, no local accounts."""
    pool = {
        "name": "nodepool1",
        "count": 3,
        "vmSize": "Standard_D4s_v5",
        "osDiskSizeGB": 128,
        "osDiskType": "Managed",
        "kubeletDiskType": "OS",
        "maxPods": 110,
        "type": "VirtualMachineScaleSets",
        "enableAutoScaling": False,
        "provisioningState": provisioning,
        "powerState": {"code": "Running"},
        "orchestratorVersion": version,
        "currentOrchestratorVersion": f"{version}.1",
        "enableNodePublicIP": False,
        "mode": "System",
        "enableEncryptionAtHost": False,
        "enableUltraSSD": False,
        "osType": "Linux",
        "osSKU": "Ubuntu",
        "nodeImageVersion": "AKSUbuntu-2204gen2containerd-202611.06.0",
        "upgradeSettings": {},
        "enableFIPS": False,
    }
    network = {
        "networkPlugin": "azure",
        "networkPluginMode": "overlay",
        "networkPolicy": network_policy,
        "loadBalancerSku": "Standard",
        "loadBalancerProfile": {"managedOutboundIPs": {"count": 1}, "effectiveOutboundIPs": []},
        "podCidr": "10.244.0.0/16",
        "serviceCidr": "10.0.0.0/16",
        "dnsServiceIP": "10.0.0.10",
        "outboundType": "loadBalancer",
        "podCidrs": ["10.244.0.0/16"],
        "serviceCidrs": ["10.0.0.0/16"],
        "ipFamilies": ["IPv4"],
    }
    kubelet = {
        "resourceId": f"/subscriptions/{SUBSCRIPTION}/resourcegroups/MC_{group}_{name}_{REGION}"
        f"/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}-agentpool",
        "clientId": str(uuid.uuid4()),
        "objectId": str(uuid.uuid4()),
    }
    drivers = {"diskCSIDriver": {"enabled": True}, "fileCSIDriver": {"enabled": True}}
    return {
        "provisioningState": provisioning,
        "powerState": {"code": "Running"},
        "kubernetesVersion": version,
        "currentKubernetesVersion": f"{version}.1",
        "dnsPrefix": f"{name}-dns",
        "fqdn": f"{name}-dns-vefyh98v.hcp.{REGION}.azmk8s.io",
        "azurePortalFQDN": f"{name}-dns-vefyh98v.portal.hcp.{REGION}.azmk8s.io",
        "agentPoolProfiles": [pool],
        "linuxProfile": {"adminUsername": "azureuser", "ssh": {"publicKeys": [{"keyData": "ssh-rsa AAAA"}]}},
        "servicePrincipalProfile": {"clientId": "msi"},
        "nodeResourceGroup": f"MC_{group}_{name}_{REGION}",
        "enableRBAC": True,
        "supportPlan": "KubernetesOfficial",
        "networkProfile": network,
        "aadProfile": {"managed": True, "enableAzureRBAC": True, "adminGroupObjectIDs": None, "tenantID": TENANT},
        "maxAgentPools": 100,
        "identityProfile": {"kubeletidentity": kubelet},
        "autoUpgradeProfile": {"nodeOSUpgradeChannel": "NodeImage"},
        "disableLocalAccounts": True,
        "securityProfile": {},
        "storageProfile": {**drivers, "snapshotController": {"enabled": True}},
        "oidcIssuerProfile": {"enabled": False},
        "workloadAutoScalerProfile": {},
        "resourceUID": uuid.uuid4().hex[:24],
    }


def kubeconfig(*, name: str, group: str, server: str, authority: str) -> str:
    """The user kubeconfig in exec format; `authority` is base64 of PEM."""
    user = f"clusterUser_{group}_{name}"
    return f"""\
apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: {authority}
    server: {server}
  name: {name}
contexts:
- context:
    cluster: {name}
    user: {user}
  name: {name}
current-context: {name}
kind: Config
preferences: {{}}
users:
- name: {user}
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args:
      - get-token
      - --environment
      - AzurePublicCloud
      - --server-id
      - {ENTRA_SERVER}
      - --client-id
      - {ENTRA_CLIENT}
      - --tenant-id
      - {TENANT}
      - --login
      - devicecode
      command: kubelogin
      env: null
      provideClusterInfo: false
"""
