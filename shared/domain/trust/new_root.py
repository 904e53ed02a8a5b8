"""How a root is made in Key Vault so that its key never leaves it: what the vault shows, and the step that follows.

    nothing there              create a key        a self-issued version, the draft, whose key may sign
    draft under way            wait
    draft there                request             a second version with the same key, waiting for its certificate
    request open               merge               the root, signed with the draft's key
    root there, draft enabled  disable the draft
    root there                 done

Key Vault doesn't sign with a key whose certificate is still requested, hence the draft. Of two that work at once, the
second gets a conflict and looks again. While a request is open the root may be signed again: only one certificate can
be merged.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from shared.domain.errors import PermanentError
from shared.domain.trust.roots import GENERATION_TAG, Rotation, root_tags


class RootStep(StrEnum):
    """What to do next."""

    CREATE_KEY = "create key"
    WAIT = "wait"
    REQUEST = "request"
    MERGE = "merge"
    DISABLE_DRAFT = "disable draft"
    DONE = "done"


class CertificateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """An issued version of a certificate."""

    id: str
    enabled: bool
    created: datetime
    tags: dict[str, str]

    @property
    def is_root(self) -> bool:
        return GENERATION_TAG in self.tags


class CertificateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The latest request for a version of a certificate."""

    issuer: str  # Self or Unknown
    status: str
    error: str  # of the service; empty: none


def next_step(versions: Sequence[CertificateVersion], request: CertificateRequest | None) -> RootStep:
    """What to do about a root in the making; raises PermanentError when people have to look."""
    if any(v.is_root for v in versions):
        return RootStep.DISABLE_DRAFT if any(v.enabled and not v.is_root for v in versions) else RootStep.DONE
    if request and request.status == "inProgress":
        return RootStep.WAIT if request.issuer == "Self" else RootStep.MERGE
    if request and request.status != "completed":
        message = f"the request for the new root is {request.status}: {request.error or 'no reason given'}; delete it"
        raise PermanentError("RootRequestFailed", message)
    return RootStep.REQUEST if versions else RootStep.CREATE_KEY


def require_own_root(versions: Sequence[CertificateVersion], rotation: Rotation) -> None:
    """Raise PermanentError if what has the new root's name is another root, by its tags."""
    if any(v.is_root and not root_tags(rotation).items() <= v.tags.items() for v in versions):
        message = f"certificate {rotation.new} exists and isn't root {rotation.generation} of {rotation.trust_domain}"
        raise PermanentError("ForeignRoot", f"{message}: delete it, or correct its tags")


def draft(versions: Sequence[CertificateVersion]) -> CertificateVersion:
    """The version whose key signs the root; raises PermanentError if somebody has disabled it."""
    drafts = [v for v in versions if v.enabled and not v.is_root]
    if not drafts:
        raise PermanentError(
            "DraftDisabled", "the new root's first version is disabled: enable it, because its key signs"
        )
    return max(drafts, key=lambda v: v.created)


def root_version(versions: Sequence[CertificateVersion]) -> CertificateVersion:
    """The version that is the root itself."""
    return max((v for v in versions if v.is_root), key=lambda v: v.created)
