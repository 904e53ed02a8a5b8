"""Names that stand for ids: of instances, certificates, folders of the store.

Rules:
- Two ids never get one name, whatever their punctuation: a name ends with a digest of the whole id in lower case. What
  stands before it is for people, and may be cut short or be the same for two ids.
- A name has small letters, digits and single hyphens alone, and at most 49 characters. With what flows put around it,
  an instance id has at most 100 (Durable Task Scheduler's limit); that of a flow within flows is `bounded`.
"""

import hashlib
import re

from shared.domain.resource_id import folded

LONGEST_INSTANCE_ID = 100
_LONGEST_READABLE, _DIGITS = 32, 16


def unique_name(readable: str, *ids: str) -> str:
    """The name of what these ids name together, with a readable part in front; without ids, of the text itself."""
    front = re.sub(r"[^a-z0-9]+", "-", readable.lower()).strip("-")[:_LONGEST_READABLE].strip("-")
    return f"{front or 'x'}-{id_digest(*(ids or (readable,)))}"


def bounded(instance_id: str) -> str:
    """The instance id; of one that is too long, its front and a digest of the whole."""
    if len(instance_id) <= LONGEST_INSTANCE_ID:
        return instance_id
    return f"{instance_id[: LONGEST_INSTANCE_ID - _DIGITS - 1]}-{id_digest(instance_id)}"


def id_digest(*ids: str) -> str:
    """What tells these ids from all others, whatever their case; no id has a line break."""
    return hashlib.sha256("\n".join(map(folded, ids)).encode()).hexdigest()[:_DIGITS]
