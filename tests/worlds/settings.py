"""The app's settings as adapters need them in a simulated cloud."""

from local.cloud.world import SUBSCRIPTION, TENANT, World
from shared.settings import Settings


def settings(world: World) -> Settings:
    """Settings with every endpoint in the simulated cloud, and no identity."""
    return Settings(
        tenant_id=TENANT,
        subscription_ids=SUBSCRIPTION,
        audience="",
        key_vault_url="",
        event_topic_url="",
        store_url="",
        evidence_url="",
        policy_url="",
        backup_resource_group="rg-backup",
        rotator_client_id="",
        provisioner_client_id="",
        verifier_client_id="",
        arm_url=world.wire.url,
    )
