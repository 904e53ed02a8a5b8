"""What the warnings of a restore job mean.

Azure Backup for AKS has a dozen codes for them, and repeats what Velero says under a general one. Code and text decide:
- harmless: something exists already, as the isolated namespace itself does before the restore;
- lossy: it is about a volume, its claim or its snapshot, or something was left out: data may be missing;
- unclear: anything else.
"""

import re
from collections.abc import Iterable
from typing import Literal

from shared.domain.restores.verification import JobWarning

type Class = Literal["harmless", "lossy", "unclear"]

_LOSSY = re.compile(r"volume|\bpvc?\b|snapshot|skipp|not restored|disk", re.IGNORECASE)
_LOSSY_CODE = re.compile(r"PVC?(?![a-z])|Volume|Snapshot|Disk")  # as in UserErrorStorageClassMissingForPVC
_HARMLESS = re.compile(r"already exists(?!.*different)", re.IGNORECASE | re.DOTALL)


def class_of(warned: JobWarning) -> Class:
    """The class of one warning."""
    if _LOSSY.search(warned.text) or _LOSSY_CODE.search(warned.code):
        return "lossy"
    return "harmless" if _HARMLESS.search(warned.text) else "unclear"


def classified(warnings: Iterable[JobWarning]) -> dict[Class, list[str]]:
    """The texts of warnings by class, the worst class first."""
    found: dict[Class, list[str]] = {"lossy": [], "unclear": [], "harmless": []}
    for warned in warnings:
        found[class_of(warned)].append(warned.text)
    return found
