"""The world that `make run`, `make serve` and the flow tests begin with.

A Linkerd trust domain over some clusters whose root expires in 30 days; one of its clusters and a file share are backed
up already; one new cluster asks for protection and has none yet.
"""

from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.arm import SUBSCRIPTION
from local.cloud.backup.readiness import CONTRIBUTOR
from local.cloud.backup.restoring import ACCOUNT_CONTRIBUTOR, BLOB_DATA_OWNER
from local.cloud.key_vault.vault import Vault
from local.cloud.resources.storage import TYPE as ACCOUNTS
from local.cloud.world import World

KEY_VAULT = "kv-meshward"
KEY_VAULT_TOPIC = f"keyvault-{KEY_VAULT}"
TOPIC = "meshward"
BACKUP_GROUP = "rg-backup"
TRUST_DOMAIN = "prod.contoso.example"
OLD_ROOT = "linkerd-root-prod-contoso-example-g0001"
NEW_CLUSTER = "aks-new"
STORAGE_ACCOUNT = "stcontosoorders"
SHARE = "orders"

MACHINE, MACHINE_GROUP = "vm-ledger-1", "rg-machines"
SCRATCH_GROUP, STAGING_ACCOUNT = "rg-scratch", "stcontosostaging"
SCRATCH = {"scratch_group": SCRATCH_GROUP, "staging_account": STAGING_ACCOUNT}  # as the policy document names them

_MESHED = {"meshward:mesh": "linkerd", "meshward:trust-domain": TRUST_DOMAIN}
CLUSTER_GROUP = "rg-clusters"  # whose clusters the trust domain lists
_FIRST = ("aks-east", "aks-west")
BACKED_UP_CLUSTER = _FIRST[0]
_FILE_DATA_PRIVILEGED_READER = "b8eda974-7b85-4f76-af95-65846b26df6d"


def policy(**said: Any) -> dict[str, Any]:
    """The policy document of the scenario: who belongs to the trust domain, and what else is said."""
    domains = said.get("trust_domains", {})
    own = {"members": [f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{CLUSTER_GROUP}"]} | domains.get(TRUST_DOMAIN, {})
    return {**said, "trust_domains": {**domains, TRUST_DOMAIN: own}}


def seed(world: World, *, clusters: int = 2) -> None:
    """Fill the world; `clusters` is the size of the trust domain."""
    seed_trust(world, clusters)
    world.aks.add(NEW_CLUSTER, tags={"meshward:protect": "true"})
    world.backup_vaults.protect(BACKED_UP_CLUSTER, group=BACKUP_GROUP)
    seed_share(world)


def seed_trust(
    world: World, clusters: int, *, lifetime: timedelta = timedelta(days=365), left: timedelta = timedelta(days=30)
) -> None:
    """A trust domain over so many clusters, its root in the key vault; `left` remains of the root's `lifetime`."""
    now, vault = world.clock.now(), world.key_vaults.add(KEY_VAULT)
    vault.seed_root(
        OLD_ROOT,
        subject_cn=f"root.linkerd.{TRUST_DOMAIN} g0001",
        not_before=now + left - lifetime,
        not_after=now + left,
        tags={**_MESHED, "meshward:generation": "1"},
    )
    for name in cluster_names(clusters):
        add_cluster(world, name, workloads())


def add_cluster(world: World, name: str, running: list[dict[str, Any]]) -> None:
    """A cluster of the trust domain, and what runs in it."""
    world.aks.add(name, tags=_MESHED)
    install_linkerd(world, world.key_vaults.vaults[KEY_VAULT], name)
    for manifest in running:
        world.kubernetes.clusters[name].apply(manifest)


def cluster_names(count: int) -> list[str]:
    """The clusters of the trust domain."""
    return [*_FIRST, *(f"aks-{number:03}" for number in range(3, count + 1))][:count]


def install_linkerd(world: World, vault: Vault, cluster: str, *, version: str = "2.19") -> None:
    """Linkerd with an issuer of its own under the root in the vault."""
    now, key = world.clock.now(), ec.generate_private_key(ec.SECP256R1())
    root = vault.certificate(OLD_ROOT).current.certificate
    assert root
    issuer = vault.sign_issuer(
        OLD_ROOT,
        f"identity.linkerd.{TRUST_DOMAIN}",
        key.public_key(),
        max(now - timedelta(days=1), root.not_valid_before_utc),
        min(now + timedelta(days=29), root.not_valid_after_utc),
    )
    pem = serialization.Encoding.PEM
    world.linkerd.install(
        cluster,
        trust_domain=TRUST_DOMAIN,
        root_pem=root.public_bytes(pem).decode(),
        issuer_cert_pem=issuer.public_bytes(pem).decode(),
        issuer_key_pem=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
        version=version,
    )


def seed_share(world: World) -> None:
    """An Azure Files share with some orders in it, backed up by a Recovery Services vault."""
    world.file_shares.create(STORAGE_ACCOUNT, SHARE)
    for number in range(20):
        world.file_shares.write(STORAGE_ACCOUNT, SHARE, f"2026/order-{number:03}.json", b'{"total": %d}' % number)
    world.recovery_vaults.protect("rsv-contoso", STORAGE_ACCOUNT, SHARE)
    account = world.file_shares.account(STORAGE_ACCOUNT)["id"]
    world.roles.grant(world.entra.named("verifier").object_id, _FILE_DATA_PRIVILEGED_READER, account)


def seed_machine(world: World) -> None:
    """A virtual machine backed up by a Recovery Services vault, and where its disks may be restored to."""
    world.machines.add(MACHINE, group=MACHINE_GROUP)
    world.recovery_vaults.protect_machine("rsv-contoso", MACHINE)
    seed_scratch(world)


def seed_scratch(world: World) -> tuple[str, str]:
    """A scratch group and its staging account; their resource ids."""
    group = world.resource_groups.add(SCRATCH_GROUP)["id"]
    return group, world.storage.add(f"{group}/providers/{ACCOUNTS}/{STAGING_ACCOUNT}")["id"]


def let_stage(world: World) -> None:
    """Let all Backup vaults fill the scratch group, as restores from the vault tier need it."""
    group, account = seed_scratch(world)
    for vault in list(world.arm.of_type("Microsoft.DataProtection/backupVaults")):
        for role, at in ((CONTRIBUTOR, group), (ACCOUNT_CONTRIBUTOR, account), (BLOB_DATA_OWNER, account)):
            world.roles.grant(vault["identity"]["principalId"], role, at)


def workloads() -> list[dict[str, Any]]:
    """Two meshed namespaces with Deployments, a StatefulSet and a DaemonSet: 12 pods a cluster."""
    return [
        namespace("shop"),
        _config("shop", "web", {"currency": "EUR"}),
        workload("Deployment", "shop", "web", 3),
        workload("Deployment", "shop", "cart", 2),
        workload("StatefulSet", "shop", "db", 2),
        namespace("orders"),
        _config("orders", "api", {"queue": "orders"}),
        workload("Deployment", "orders", "api", 3),
        workload("DaemonSet", "orders", "agent", None),
    ]


def namespace(name: str) -> dict[str, Any]:
    """A meshed namespace."""
    metadata = {"name": name, "annotations": {"linkerd.io/inject": "enabled"}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _config(namespace: str, name: str, data: dict[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def workload(kind: str, namespace: str, name: str, replicas: int | None) -> dict[str, Any]:
    """A workload of so many pods, without a number one for each node; Deployments listen for HTTP."""
    labels = {"app": name}
    container: dict[str, Any] = {"name": name, "image": f"contoso/{name}:1"}
    if kind == "Deployment":
        container["ports"] = [{"name": "http", "containerPort": 8080}]
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"serviceAccountName": name, "containers": [container]},
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
