"""Somebody who may import, tag and request certificates in the key vault, and isn't Meshward or its operator."""

from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from local.cloud.key_vault.vault import Vault
from local.cloud.key_vault.x509 import issue
from local.cloud.world import World
from local.scenario import KEY_VAULT, TRUST_DOMAIN
from tests.worlds.times import MINUTE

NAME = "mallory"
KEY = ec.generate_private_key(ec.SECP256R1())


def tags(generation: int) -> dict[str, str]:
    """As the trust domain's root of this generation has them."""
    return {
        "meshward:mesh": "linkerd",
        "meshward:trust-domain": TRUST_DOMAIN,
        "meshward:generation": str(generation),
    }


def bring(world: World, name: str = NAME, *, generation: int | None = None) -> x509.Certificate:
    """A root of somebody's own, whose key is theirs, imported under this name; tagged, if a generation is given."""
    now = world.clock.now()
    root = issue(
        f"CN={NAME}",
        KEY.public_key(),
        issuer=f"CN={NAME}",
        signer=KEY,
        validity=(now - MINUTE, now + timedelta(days=3650)),
        path_length=1,
    )
    vault(world).import_certificate(name, root, KEY, tags={} if generation is None else tags(generation))
    return root


def vault(world: World) -> Vault:
    """The Key Vault with the roots."""
    return world.key_vaults.vaults[KEY_VAULT]
