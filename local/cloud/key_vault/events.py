"""The events of a key vault's certificates, in Event Grid's schema.

Rules (Key Vault docs): a new version when one is issued, near expiry 30 days before the current version ends, expired
when it ends. A version that was replaced or deleted meanwhile is silent, and so is one made after that moment.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from local.cloud.arm import iso

NEAR_EXPIRY = timedelta(days=30)
NEW_VERSION = "CertificateNewVersionCreated"


def milestones(expires: datetime) -> dict[str, datetime]:
    """When which event is due for a version that ends then."""
    return {"CertificateNearExpiry": expires - NEAR_EXPIRY, "CertificateExpired": expires}


def event(
    kind: str,
    *,
    vault: str,
    vault_id: str,
    name: str,
    version: str,
    validity: tuple[datetime, datetime],
    now: float,
    odd: bool,
) -> dict[str, Any]:
    """`odd`: with the forms of the documentation's sample, quoted times and a trailing blank in "ObjectName "."""
    not_before, expires = (int(when.timestamp()) for when in validity)
    return {
        "id": str(uuid.uuid4()),
        "topic": vault_id,
        "subject": name,
        "eventType": f"Microsoft.KeyVault.{kind}",
        "eventTime": iso(now),
        "data": {
            "Id": f"https://{vault}.vault.azure.net/certificates/{name}/{version}",
            "VaultName": vault,
            "ObjectType": "Certificate",
            "ObjectName " if odd else "ObjectName": name,
            "Version": version,
            "NBF": str(not_before) if odd else not_before,
            "EXP": str(expires) if odd else expires,
        },
        "dataVersion": "1",
        "metadataVersion": "1",
    }
