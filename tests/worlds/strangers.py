"""A cluster that wears the tags of a trust domain which doesn't list it, and what is asked of it."""

import base64
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.key_vault.vault import Vault
from local.cloud.resources.aks import cluster_id
from local.cloud.world import World
from local.scenario import KEY_VAULT, OLD_ROOT, TRUST_DOMAIN
from local.stage import RunningApp
from tests.worlds.issuers import ISSUER, half_lived
from tests.worlds.mutants import Mutant
from tests.worlds.small_mesh import MESHED


def yes(real: Any, *_: Any) -> bool:
    """What a list says that asks for the tag alone."""
    return True


BY_TAG = Mutant("shared.domain.admission.AllowList.lists", yes)
STRANGER, GROUP = "aks-stranger", "rg-strangers"
STRANGER_ID = cluster_id(STRANGER, GROUP)
LINE = f'"trust_domains": {{"{TRUST_DOMAIN}": {{"members": ["{STRANGER_ID}"]}}}}'


def come(world: World, **tags: str) -> None:
    """Let the stranger come, with what is public of the trust domain: its root, and the issuer of aks-east."""
    vault = world.key_vaults.vaults[KEY_VAULT]
    world.aks.add(STRANGER, group=GROUP, tags={**MESHED, **{f"meshward:{name}": value for name, value in tags.items()}})
    world.linkerd.install(
        STRANGER,
        trust_domain=TRUST_DOMAIN,
        root_pem=_pem(vault),
        issuer_cert_pem=issuer(world, "aks-east")[0],
        issuer_key_pem=junk_key(),
    )


def come_to_a_due_renewal(world: World) -> None:
    """The same, where the issuer of aks-east is due."""
    half_lived(world)
    come(world)


def issuer(world: World, cluster: str) -> tuple[str, str]:
    """The certificate and the key (PEM) in the cluster's Secret."""
    data = world.kubernetes.clusters[cluster].get("Secret", "linkerd", ISSUER)["data"]
    return base64.b64decode(data["tls.crt"]).decode(), base64.b64decode(data["tls.key"]).decode()


def lose_key(world: World, cluster: str = "aks-east", *, key: str = "") -> None:
    """Let another key stand in the cluster's Secret, as if somebody had copied the certificate alone."""
    key = key or junk_key()
    meta, data = {"name": ISSUER, "namespace": "linkerd"}, {"tls.key": base64.b64encode(key.encode()).decode()}
    world.kubernetes.clusters[cluster].apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data})


def contacts(stage: RunningApp, cluster: str = STRANGER) -> list[str]:
    """What was asked of a cluster's API server, and each asking for the way there."""
    urls = (e.url for e in stage.world.wire.exchanges)
    return [url for url in urls if f"/k8s/{cluster}/" in url or f"{cluster}/listCluster" in url]


def junk_key() -> str:
    """A private key (PEM) that nobody knows."""
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain).decode()


def _pem(vault: Vault) -> str:
    root = vault.certificate(OLD_ROOT).current.certificate
    assert root
    return root.public_bytes(serialization.Encoding.PEM).decode()
