"""Issuers that are at half of their lifetime."""

import base64

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.world import World
from local.scenario import KEY_VAULT, OLD_ROOT, TRUST_DOMAIN
from tests.worlds.app import NO_WATCH
from tests.worlds.times import HOUR

SWEPT = {name: value for name, value in NO_WATCH.items() if "issuer_sweep" not in name}
ISSUER = "linkerd-identity-issuer"


def half_lived(world: World, *clusters: str, root: str = OLD_ROOT) -> None:
    """The issuers of these clusters are due, signed by the root of this name."""
    now, key, pem = world.clock.now(), ec.generate_private_key(ec.SECP256R1()), serialization.Encoding.PEM
    found = world.key_vaults.vaults[KEY_VAULT].sign_issuer(
        root, f"identity.linkerd.{TRUST_DOMAIN}", key.public_key(), now - 30 * HOUR, now + 20 * HOUR
    )
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    files = {"tls.crt": found.public_bytes(pem), "tls.key": private}
    data = {name: base64.b64encode(content).decode() for name, content in files.items()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": ISSUER, "namespace": "linkerd"}, "data": data}
    for name in clusters or ("aks-east",):
        world.kubernetes.clusters[name].apply(secret)
