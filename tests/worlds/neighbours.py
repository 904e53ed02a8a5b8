"""A second trust domain in the same vault, whose name differs from the scenario's in punctuation alone."""

from datetime import timedelta

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.world import World
from local.scenario import KEY_VAULT
from tests.worlds.small_mesh import few
from tests.worlds.times import HOUR, MINUTE

DOMAIN, ROOT, CLUSTER = "prod-contoso.example", "neighbour-root", "aks-hyphen"


def seed(world: World, left: timedelta) -> None:
    """The trust domain over one cluster; so much is left of its root's life, which is due."""
    now, vault, pem = world.clock.now(), world.key_vaults.vaults[KEY_VAULT], serialization.Encoding.PEM
    tags = {"meshward:mesh": "linkerd", "meshward:trust-domain": DOMAIN}
    root = vault.seed_root(
        ROOT,
        subject_cn=f"root.linkerd.{DOMAIN}",
        not_before=now - left * 4 / 3,
        not_after=now + left,
        tags={**tags, "meshward:generation": "1"},
    )
    key, common_name = ec.generate_private_key(ec.SECP256R1()), f"identity.linkerd.{DOMAIN}"
    issuer = vault.sign_issuer(ROOT, common_name, key.public_key(), now - MINUTE, now + 48 * HOUR)
    world.aks.add(CLUSTER, tags=tags)
    world.linkerd.install(
        CLUSTER,
        trust_domain=DOMAIN,
        root_pem=root.public_bytes(pem).decode(),
        issuer_cert_pem=issuer.public_bytes(pem).decode(),
        issuer_key_pem=key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode(),
    )
    for manifest in few():
        world.kubernetes.clusters[CLUSTER].apply(manifest)
